"""An aligned table on stdout."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

from tts.output.text import printable


def write_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write it; on a terminal the last column is wrapped to its width."""
    texts = [[printable(str(cell)) for cell in row] for row in [header, *rows]]
    widths = [max(len(text[column]) for text in texts) for column in range(len(header))]
    indent = sum(widths[:-1]) + 2 * (len(header) - 1)
    room = max(shutil.get_terminal_size().columns - indent, 24) if sys.stdout.isatty() else 10_000
    for text in texts:
        head = "  ".join(cell.ljust(width) for cell, width in zip(text[:-1], widths, strict=False))
        lines = textwrap.wrap(text[-1], room) or [""]
        click.echo(f"{head}  {lines[0]}".rstrip())
        for line in lines[1:]:
            click.echo(" " * indent + line)
