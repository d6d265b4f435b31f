"""Small tables, as text or HTML, without a dependency."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tts.output.columns import GAP, folded, terminal_width, wrapped
from tts.output.text import printable
from tts.vocabulary.records import Usage


class Table(NamedTuple):
    """A title, a head, rows of text, and notes below; the first column is left-aligned, the others right-aligned."""

    title: str
    head: list[str]
    rows: list[list[str]]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        """On a terminal within its width: columns that do not fit stand in a second part below, notes are wrapped."""
        return self.text(terminal_width())

    def text(self, width: int | None = None) -> str:
        """The table within a width, as `str` prints it on a terminal that has it; `None` is as wide as it comes."""
        heads, lines = 1, [[printable(cell) for cell in line] for line in (self.head, *self.rows)]
        if width is not None:
            room = width if len(self.head) == 1 else width // 2
            parts = [_under(line, room, width - room - GAP) for line in lines]
            heads, lines = len(parts[0]), [row for part in parts for row in part]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        shown = [*wrapped(printable(self.title), width)]
        for place, part in enumerate(folded(widths, width)):
            cells = [[line[column] for column in part] for line in lines]
            if place:  # below, only rows that have something there
                cells = cells[:heads] + [row for row in cells[heads:] if any(row[1:])]
            shown += _part(cells, [widths[column] for column in part], heads)
        return "\n".join([*shown, *(line for note in self.notes for line in wrapped(printable(note), width))])

    def markdown(self) -> str:
        """The table for a page; a vertical bar in a text is escaped."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

        rule = line(["---", *["---:"] * (len(self.head) - 1)])
        notes = [f"\n{note}" for note in self.notes]
        return "\n".join([f"## {self.title}", "", line(self.head), rule, *map(line, self.rows), *notes])

    def html(self) -> str:
        """The table for a notebook; every text is escaped."""

        def cells(tag: str, texts: list[str]) -> str:
            aligned = [f"<{tag} style='text-align:{'left' if i == 0 else 'right'}'>" for i in range(len(texts))]
            return "".join(f"{start}{html.escape(text)}</{tag}>" for start, text in zip(aligned, texts, strict=True))

        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in self.rows)
        notes = "".join(f"<div>{html.escape(note)}</div>" for note in self.notes)
        caption = f"<caption style='text-align:left'>{html.escape(self.title)}</caption>"
        return f"<table>{caption}<thead><tr>{cells('th', self.head)}</tr></thead><tbody>{body}</tbody></table>{notes}"


def _part(lines: Sequence[Sequence[str]], widths: Sequence[int], heads: int) -> list[str]:
    """Some columns between rules; the first so many lines are the head."""
    rule = "─" * (sum(widths) + GAP * (len(widths) - 1))

    def line(cells: Sequence[str]) -> str:
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return (" " * GAP).join(padded).rstrip()

    shown = [*map(line, lines)]
    return [rule, *shown[:heads], rule, *shown[heads:], rule]


def _under(line: Sequence[str], first: int, others: int) -> list[list[str]]:
    """A row whose cells go on in rows below where they are longer than their room."""
    parts = [wrapped(cell, others if place else first) for place, cell in enumerate(line)]
    height = max(map(len, parts))
    return [[part[row] if row < len(part) else "" for part in parts] for row in range(height)]


def percent(share: float) -> str:
    """A share as a percentage with one decimal, without the sign."""
    return f"{100 * share:.1f}"


def counted(number: int, noun: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def quantity(number: int, usage: Usage | None = None) -> str:
    """A whole number with thousands separators, marked where it is a number of tokens of which some are estimated."""
    return f"{about(usage)}{number:,}"


def about(usage: Usage | None) -> str:
    """The mark before numbers of tokens of which some are estimated."""
    return "≈" if usage is not None and usage.estimated_tokens else ""


def estimated_lines(usages: Mapping[str, Usage]) -> list[str]:
    """What the mark means and how much of which usage is estimated, in a line; none where nothing is."""
    told = [f"{name} {u.estimated_tokens:,} of {u.total_tokens:,}" for name, u in usages.items() if u.estimated_tokens]
    return [f"≈: tokens that no server has counted, and that are estimated: {', '.join(told)}"] if told else []
