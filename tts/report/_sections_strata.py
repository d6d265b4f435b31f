"""The built-in section on strata."""

from __future__ import annotations

from collections.abc import Iterator

from tts.metrics.strata import SMALL, Stratified
from tts.metrics.tables import Table
from tts.report._words import estimate
from tts.report.data import ReportData
from tts.report.section import Figure, Point, Section, Series


def strata(data: ReportData) -> Section | None:
    """Accuracy and gaps apart by each column that was asked for."""
    if not data.strata:
        return None
    tables = [table for found in data.strata for table in _tables(data, found)]
    figures = [figure for found in data.strata if (figure := _figure(data, found)) is not None]
    text = (
        "The same numbers for parts of the problems. The intervals of a table's gaps hold for all of its gaps at once, "
        "so that looking at many parts does not find a difference by luck."
    )
    return Section("strata", "Strata", (text,), tuple(tables), tuple(figures), order=54)


def _tables(data: ReportData, found: Stratified) -> Iterator[Table]:
    labels = [one.label for one in data.strategies if any(one.label in part.accuracy for part in found.strata)]
    rows = [
        [part.name, f"{part.problems:,}", f"{part.groups:,}", estimate(part.pass_at_1),
         *(estimate(part.accuracy.get(label)) for label in labels)]
        for part in found.strata
    ]  # fmt: skip
    notes = [f"{note[0].upper()}{note[1:]}." for note in found.notes]
    small = [f"{part.name} ({part.problems})" for part in found.strata if part.small]
    if small:
        notes.append(f"Fewer than {SMALL} problems, too few for intervals that were tried: {', '.join(small)}.")
    yield Table(f"Accuracy by {found.by}, %", [found.by, "problems", "groups", "pass@1", *labels], rows, notes)
    gaps = [
        [part.name, label, estimate(gap.among, signed=True), gap.verdict]
        for part in found.strata
        for label, gap in part.gaps.items()
    ]
    if gaps:
        yield Table(f"Gap to {data.baseline} by {found.by}, points", [found.by, "strategy", "gap", "verdict"], gaps)


def _figure(data: ReportData, found: Stratified) -> Figure | None:
    """The gaps, a row for each stratum and strategy."""
    series = tuple(
        Series(f"{part.name}, {label}", (Point.of(f"{part.name}, {label}", gap.among),), data.color(label))
        for part in found.strata
        for label, gap in part.gaps.items()
    )
    if not series:
        return None
    title = f"Gap to {data.baseline} by {found.by}"
    return Figure(f"gap-by-{found.by}", title, "interval", "gap, points", "", series, zero=True)
