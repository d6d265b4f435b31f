"""What a section of the report is made of: words, tables, figures, as plain data.

A section says nothing of HTML, LaTeX or colours, so every one, a plugin's included, comes out on the page, in Markdown,
in LaTeX, as data files and as figures for papers.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from tts.metrics.estimate import Estimate
from tts.metrics.tables import Table

Kind = Literal["curve", "line", "groups", "scatter", "interval", "bars"]
Color = int | Literal["good", "bad", "shade-1", "shade-2", "shade-3", "shade-4"] | None


class Point(NamedTuple):
    """One value with its 95 % interval, `None` where it has none; `at` is a number, or the name of a row."""

    at: float | str
    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, at: float | str, found: Estimate, scale: float = 100.0) -> Point:
        """An estimate as a point, in percent; a single problem bounds nothing, so it has no interval."""
        if not found.bounded:
            return cls(at, scale * found.mean)
        return cls(at, scale * found.mean, scale * found.low, scale * found.high)


class Series(NamedTuple):
    """Points of one name.

    `color` is a place in the palette, a strategy's own wherever it is drawn, a meaning, or `None` for a grey reference.
    """

    name: str
    points: tuple[Point, ...]
    color: Color = None


class Figure(NamedTuple):
    """One chart, as data.

    `kind`: "curve" has lines over a numeric axis with bands, "line" lines with markers and intervals; "groups" whole
    numbers with intervals side by side; "scatter" single points with their names; "interval" one row for each name,
    with its interval; "bars" rows whose series are stacked, negative ones to the left. `x` and `y` are axis labels with
    their units; `name` is the name of its files. `zero` draws a line where x is 0.
    """

    name: str
    title: str
    kind: Kind
    x: str
    y: str
    series: tuple[Series, ...]
    zero: bool = False

    def rows(self) -> list[dict[str, Any]]:
        """One row for each point, as data files have them."""
        return [
            {"series": one.name, "at": p.at, "value": p.value, "low": p.low, "high": p.high}
            for one in self.series
            for p in one.points
        ]


class Section(NamedTuple):
    """A part of the report. `name` is its anchor; `order` its place: built-in ones have 10, 20, … 90."""

    name: str
    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    order: int = 100
