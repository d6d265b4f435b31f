"""`tts plugin new`: a package with one strategy that passes its own tests, to be changed into what you want."""

from __future__ import annotations

import re
from pathlib import Path

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tts._version import __version__
from tts.registry.host import plugins
from tts.vocabulary.errors import ConfigError

_TEMPLATES = Path(__file__).parent / "plugin_template"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@click.group()
def plugin() -> None:
    """Write a plugin of your own."""


@plugin.command()
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write it; by default tts-NAME in this folder.",
)
def new(name: str, folder: Path | None) -> None:
    """Write a package tts-NAME with one strategy called NAME: code, tests with the conformance kit, README, CI."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"NAME={name!r}: lower-case letters and digits, with '-' or '_' between words, e.g. short-vote"
        )
    strategy = name.replace("-", "_")
    if strategy in plugins().names("strategy"):
        owner = plugins().find("strategy", strategy).distribution
        raise ConfigError(f"NAME={name!r}: {owner} has a strategy of this name; choose another")
    dist = f"tts-{name.replace('_', '-')}"
    folder = folder or Path(dist)
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is there already and is not empty; choose another with --folder")
    written = _write(folder, dist=dist, strategy=strategy)
    for path in written:
        click.echo(path)
    click.echo(f"\nNext: pip install -e '{folder}[test]' && pytest {folder}")


def _write(folder: Path, *, dist: str, strategy: str) -> list[Path]:
    names = {
        "dist": dist,
        "module": dist.replace("-", "_"),
        "strategy": strategy,
        "cls": "".join(word.capitalize() for word in strategy.split("_")),
        "version": __version__,
    }
    files = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        "ci.yml": ".github/workflows/test.yml",
        "plugin.py": f"{names['module']}/__init__.py",
        "strategy.py": f"{names['module']}/{strategy}.py",
        "test.py": f"tests/test_{strategy}.py",
    }
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=False,  # noqa: S701 - it writes no HTML
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    written = []
    for source, target in files.items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(templates.get_template(f"{source}.jinja").render(names), "utf-8")
        written.append(path)
    return written
