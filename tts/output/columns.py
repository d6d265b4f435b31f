"""Text in columns that fit a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

GAP = 2  # spaces between two columns
LEAST = 8  # characters that a column keeps at least, where it has so many


def terminal_width() -> int | None:
    """How many characters a line of the terminal has that stdout is; `None` where it is a file, a pipe, a notebook."""
    try:
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    except (AttributeError, ValueError):  # there is no stdout, or it is closed
        return None


def wrapped(text: str, width: int | None) -> list[str]:
    """The lines of a text within a width; a line that begins further right goes on there."""
    if width is None:
        return text.splitlines() or [""]
    lines = []
    for line in text.splitlines():
        indent = " " * min(len(line) - len(line.lstrip()), max(width - LEAST, 0))
        lines += textwrap.wrap(line, max(width, LEAST), subsequent_indent=indent) or [""]
    return lines or [""]


def widths_of(rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """The width of each column; where they do not fit, the long ones share alike what the short ones leave."""
    natural = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if width is None:
        return natural
    left, found = width - GAP * (len(natural) - 1), dict[int, int]()
    for rank, column in enumerate(sorted(range(len(natural)), key=natural.__getitem__)):
        share = max(left // (len(natural) - rank), LEAST)
        found[column] = min(natural[column], share)
        left -= found[column]
    return [found[column] for column in range(len(natural))]


def row_lines(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A row whose cells go on below where they are longer than their column."""
    parts = [textwrap.wrap(cell, width) or [""] if len(cell) > width else [cell]
             for cell, width in zip(cells, widths, strict=True)]  # fmt: skip
    height = max(map(len, parts))
    padded = [[*part, *[""] * (height - len(part))] for part in parts]
    return [
        (" " * GAP).join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*padded, strict=True)
    ]


def folded(widths: Sequence[int], width: int | None) -> list[list[int]]:
    """The columns of each part of a table too wide for one: the first stands in all of them, the others in order."""
    parts: list[list[int]] = [[0]]
    used = widths[0]
    for column in range(1, len(widths)):
        if width is not None and used + GAP + widths[column] > width and len(parts[-1]) > 1:
            parts.append([0])
            used = widths[0]
        parts[-1].append(column)
        used += GAP + widths[column]
    return parts
