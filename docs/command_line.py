"""Fills docs/cli.md when the site is built: every command with its options, as the declarations say them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tts.cli import main

MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Hook of MkDocs, called with each page."""
    return markdown.replace(MARK, "\n".join(documented("tts", main))) if MARK in markdown else markdown


def documented(name: str, command: click.Command, parent: click.Context | None = None) -> Iterator[str]:
    """Markdown lines of a command and of those below it."""
    context = click.Context(command, parent, info_name=name)
    path = context.command_path
    if parent is not None:
        yield f"{'#' * (path.count(' ') + 1)} `{path}` {{ #{path.replace(' ', '-')} }}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"{command.help}\n\n```text\n{path} {usage}\n```\n"
    yield from _options(command, context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from documented(each, found, context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [option.get_help_record(context) for option in command.get_params(context)]
    rows = [record for record in records if record is not None and "--help" not in record[0]]
    if rows:
        yield "| option | meaning |\n| --- | --- |"
        yield from (f"| `{_cell(names)}` | {_cell(text)} |" for names, text in rows)
        yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
