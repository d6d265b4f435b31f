"""The built-in section on controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tts.metrics.estimate import Estimate
from tts.metrics.tables import Table
from tts.report._words import estimate
from tts.report.data import ReportData
from tts.report.section import Figure, Point, Section, Series


def controls(data: ReportData) -> Section | None:
    """What strategies do on changed candidates, in sentences, a table and a figure for each strategy."""
    told = data.controls
    if told is None:
        return None
    sentences = [f"{name}: {' '.join(said)}" for name, said in told["sentences"].items() if said]
    text = (
        "A strategy may look good for a reason that is not the one claimed. So it decides again on the same groups of "
        f"{told['k']} candidates after they were changed. Accuracy is over the groups that have what a change takes; "
        "differences are paired on them, with 95 % intervals."
    )
    each = [(name, _results(told, name)) for name in told["sentences"]]
    tables = tuple(_table(name, results, told["controls"]) for name, results in each)
    figures = tuple(figure for name, results in each if (figure := _figure(data, name, results)) is not None)
    return Section("controls", "Controls", (text, *sentences), tables, figures, order=67)


def _results(told: Mapping[str, Any], strategy: str) -> list[Mapping[str, Any]]:
    return [one for one in told["results"] if one["strategy"] == strategy and one["groups"]]


def _table(name: str, results: list[Mapping[str, Any]], says: Mapping[str, str]) -> Table:
    rows = list(_rows(results, says))
    head = ["control", "groups", "accuracy, %", "minus own, points", "minus majority, points", "follows them, %"]
    kept = [i for i in range(len(head)) if i < 3 or any(row[i] for row in rows)]
    notes = ["Follows them: gives the answer that the changed candidates speak for, which is wrong here."]
    head, *rows = ([row[i] for i in kept] for row in (head, *rows))
    return Table(f"{name} under controls", head, rows, notes if 5 in kept else [])


def _rows(results: list[Mapping[str, Any]], says: Mapping[str, str]) -> Iterator[list[str]]:
    for one in results:
        found = [_estimate(one[key]) for key in ("accuracy", "versus_own", "versus_majority", "followed")]
        accuracy, own, majority, followed = found
        yield [
            f"{one['control']}: {says.get(one['control'], '')}",
            f"{one['groups']:,}",
            estimate(accuracy),
            estimate(own, signed=True),
            estimate(majority, signed=True),
            estimate(followed),
        ]


def _figure(data: ReportData, name: str, results: list[Mapping[str, Any]]) -> Figure | None:
    """What each change does to accuracy, a row for each."""
    found = [(one["control"], changed) for one in results if (changed := _estimate(one["versus_own"])) is not None]
    if not found:
        return None
    series = tuple(Series(control, (Point.of(control, one),), data.color(name)) for control, one in found)
    title = f"{name}: accuracy on changed candidates, minus that on its own"
    return Figure(f"controls-{name}", title, "interval", "difference, points", "", series, zero=True)


def _estimate(told: Mapping[str, Any] | None) -> Estimate | None:
    return None if told is None else Estimate.of_dict(told)
