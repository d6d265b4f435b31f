"""Fills docs/cli.md when the site is built: every command with its options, as the declarations say them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from tts.cli import main

MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Hook of MkDocs, called with each page."""
    return markdown.replace(MARK, "\n".join(documented("tts", main))) if MARK in markdown else markdown


def documented(name: str, command: click.Command, parent: click.Context | None = None) -> Iterator[str]:
    """Markdown of a command and of those below it."""
    context = click.Context(command, parent, info_name=name)
    path = context.command_path
    if parent is not None:
        yield f"{'#' * (path.count(' ') + 1)} `{path}` {{ #{path.replace(' ', '-')} }}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"{inspect.cleandoc(command.help or '')}\n\n```text\n{path} {usage}\n```\n"
    for option in command.get_params(context):
        if isinstance(option, click.Option) and "--help" not in option.opts:
            names, text = option.get_help_record(context) or ("", "")
            yield f"`{names}`\n:   {' '.join(text.split())}\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from documented(each, found, context)
