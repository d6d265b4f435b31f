"""An aligned table on stdout."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tts.output.columns import row_lines, terminal_width, widths_of
from tts.output.text import printable


def write_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write it; on a terminal long cells go on below, within its width."""
    texts = [[printable(" ".join(str(cell).split())) for cell in row] for row in [header, *rows]]
    widths = widths_of(texts, terminal_width())
    for text in texts:
        click.echo("\n".join(row_lines(text, widths)))
