"""The built-in section on what judges go by."""

from __future__ import annotations

from tts.metrics.estimate import Estimate
from tts.metrics.tables import Table
from tts.report._words import estimate, percent
from tts.report.data import ReportData
from tts.report.section import Figure, Point, Section, Series

_SHOWN = (("first", "shown first"), ("longer", "longer"), ("own", "own model"))


def judge_bias(data: ReportData) -> Section | None:
    """Whether who chooses minds position, length, or who wrote a candidate."""
    found = [(one, one.bias) for one in data.strategies if one.bias is not None]
    if not found:
        return None
    rows = [
        [one.label, bias.by, *(_known(getattr(bias, kind)) for kind, _ in _SHOWN),
         f"{percent(bias.flips[0] / bias.flips[1])} of {bias.flips[1]:,}" if bias.flips else "unknown",
         estimate(bias.order) or "unknown"]
        for one, bias in found
    ]  # fmt: skip
    text = (
        "A judge, a scorer or a model that selects should go by what is right. Shown first: how much more often than "
        "in half of the verdicts the one that was shown first wins. Longer: how much more often the longer of equally "
        "right candidates is chosen. Own model: how much more often than is even the chooser takes what its own model "
        "wrote. Points from even, 0 without a bias; intervals hold for all of them at once. Flips are verdicts that "
        "change when the two are shown the other way round, other order how often another order of all candidates "
        "changes the answer."
    )
    notes = [f"{one[0].upper()}{one[1:]}." for one in data.bias_lines]
    notes += [f"{one.label}, not known: {'; '.join(bias.unknown)}." for one, bias in found if bias.unknown]
    head = ["strategy", "who chooses", *(name for _, name in _SHOWN), "flips, %", "other order, %"]
    series = tuple(
        Series(name, (Point.of(name, told),), data.color(one.label))
        for one, bias in found
        for kind, what in _SHOWN
        if (told := getattr(bias, kind)) is not None
        for name in [f"{one.label}, {what}"]
    )
    title = "Bias of who chooses, points from even"
    figure = Figure("judge-bias", title, "interval", "points from even", "", series, zero=True)
    return Section("judge-bias", "Bias of who chooses", (text,), (Table("Bias", head, rows, notes),),
                   (figure,) if series else (), order=68)  # fmt: skip


def _known(found: Estimate | None) -> str:
    return estimate(found, signed=True) or "unknown"
