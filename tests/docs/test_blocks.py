"""Every code block of the README and of the pages runs as it stands; commands that are only shown can be parsed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import warm

from tts.cli import main

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SLOW = {"paper.md"}  # a protocol for every table
# `console` and `text` are shown: they want a GPU, a server, hours, or are no commands at all.
LANGUAGES = {"python", "sh", "console", "text", "toml"}


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(page.read_text("utf-8")) if found == language]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def lines(page: Path, language: str) -> list[str]:
    """Command lines, prompts and continuations taken off."""
    joined = "\n".join(blocks(page, language)).replace("\\\n", " ")
    return [line.strip().removeprefix("$ ") for line in joined.splitlines() if line.strip()]


def with_blocks(language: str) -> list[object]:
    marks = {name: [pytest.mark.slow] for name in SLOW if language == "sh"}
    pages = [page for page in PAGES if blocks(page, language)]
    return [pytest.param(page, id=named(page), marks=marks.get(page.name, [])) for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert {language for language, _ in BLOCK.findall(page.read_text("utf-8"))} <= LANGUAGES


@pytest.mark.parametrize("page", with_blocks("python"))
def test_python_blocks_run(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "blocks.py"
    script.write_text("\n".join(blocks(page, "python")), "utf-8")
    done = warm.script(script)
    assert done.status == 0, done.err
    if page.name == "README.md":
        assert "selfRef@4" in done.out
        assert "\n0.5\n" in done.out


@pytest.mark.parametrize("page", with_blocks("sh"))
def test_shell_blocks_run(page: Path, tmp_path: Path) -> None:
    for line in lines(page, "sh"):
        program, *arguments = shlex.split(line)
        assert program == "tts"
        done = warm.command(tmp_path, arguments)
        assert done.status == 0, f"{line}\n{done.err}"
        assert done.out.strip() or {"-o", "--store"} & set(arguments), line


def parse(arguments: list[str]) -> None:
    """What click does with a command line before it calls the command."""
    command: click.Command | None = main
    context = click.Context(main, info_name="tts")
    while isinstance(command, click.Group):
        name, command, arguments = command.resolve_command(context, arguments)
        context = click.Context(command, context, name)
    command.parse_args(context, list(arguments))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_that_are_shown_exist_with_their_options(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in [*lines(page, "console"), *lines(page, "text")]:
        if line.startswith("tts "):
            try:
                parse(shlex.split(line, comments=True)[1:])
            except click.UsageError as error:
                pytest.fail(f"{line}: {error.format_message()}")


def test_a_wrong_command_line_is_found() -> None:
    with pytest.raises(click.UsageError, match="--sample"):
        parse(["eval", "-o", "runs/a", "--sample", "4"])
    with pytest.raises(click.UsageError, match="'evaluate'"):
        parse(["evaluate"])


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
