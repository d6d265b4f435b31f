"""Print which version of each direct dependency stands in which environment, as a table in Markdown.

python locks/versions.py .envs/oldest .venv .envs/newest
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def bounds() -> dict[str, str]:
    """What `pyproject.toml` allows of each package that users install, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(one for name in extras if name not in {"dev", "docs"} for one in extras[name]),
    ]
    found = {}
    for one in wanted:
        name, allowed = re.fullmatch(r"([\w-]+)(?:\[.*\])?([^;]*)(?:;.*)?", one).groups()
        if name != "ttscale":  # an extra may want more than another
            found[name] = " or ".join(dict.fromkeys([*filter(None, [found.get(name)]), allowed.strip()]))
    return found


def versions(environment: Path) -> dict[str, str]:
    """What is installed in an environment, by normalised name."""
    folders = [str(folder) for folder in environment.glob("lib/python*/site-packages")]
    there = importlib.metadata.distributions(path=folders)
    return {re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one.version for one in there}


def main(environments: list[Path]) -> None:
    """Print the table."""
    columns = [versions(environment) for environment in environments]
    print("| package | allowed |", " | ".join(str(environment) for environment in environments), "|")
    print("|---" * (2 + len(columns)) + "|")
    for name, allowed in sorted(bounds().items()):
        print(f"| {name} | {allowed} |", " | ".join(column.get(name, "–") for column in columns), "|")


if __name__ == "__main__":
    main([Path(one) for one in sys.argv[1:]])
