"""Small tables, as text or HTML, without a dependency."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tts.output.text import printable
from tts.vocabulary.records import Usage


class Table(NamedTuple):
    """A title, a head, rows of text, and notes below; the first column is left-aligned, the others right-aligned."""

    title: str
    head: list[str]
    rows: list[list[str]]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        lines = [self.head, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]

        def line(cells: list[str]) -> str:
            padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
            return "  ".join(padded).rstrip()

        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
        text = "\n".join([self.title, rule, line(self.head), rule, *map(line, self.rows), rule, *self.notes])
        return printable(text)

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


def percent(share: float) -> str:
    """A share as a percentage with one decimal, without the sign."""
    return f"{100 * share:.1f}"


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
