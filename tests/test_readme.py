"""Every code block of the README and of the docs runs as it stands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(page.read_text("utf-8")) if found == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path) -> None:
    code = "\n".join(blocks(page, "python"))
    script = tmp_path / "blocks.py"
    script.write_text(code, "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    if page.name == "README.md":
        assert "selfRef@4" in done.stdout
        assert "\n0.5\n" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shell_blocks_run(page: Path, tmp_path: Path) -> None:
    for line in "\n".join(blocks(page, "sh")).splitlines():
        program, *arguments = shlex.split(line)
        assert program == "tts"
        command = [sys.executable, "-m", "tts", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout.strip() or "-o" in arguments, line


def test_the_tree_names_what_is_there() -> None:
    (tree,) = (code for code in blocks(ROOT / "README.md", "text") if code.startswith("tts/"))
    folder = ROOT
    for line in tree.splitlines():
        names = line.split("  ")[0] if not line.startswith("  ") else line.strip().split("  ")[0]
        base = folder if line.startswith("  ") else ROOT
        for name in names.split(", "):
            assert list(base.glob(name.strip().rstrip("/"))), f"the README's tree names {name!r}"
        if not line.startswith("  "):
            folder = ROOT / names.strip()
