"""The built-in section on equal budgets."""

from __future__ import annotations

from tts.metrics.budgets import Budget
from tts.metrics.tables import Table
from tts.report._words import estimate
from tts.report.data import ReportData
from tts.report.section import Figure, Point, Section, Series


def equal_budgets(data: ReportData) -> Section | None:
    """What votes and scores reach for what each strategy costs."""
    if not data.budgets:
        return None
    rows = [_row(one) for one in data.budgets]
    head = ["strategy", "at equal", "against", "accuracy, %", "strategy minus that, points"]
    notes = ["unknown: as many candidates were not sampled."] if any(row[3] == "unknown" for row in rows) else []
    text = (
        "A strategy that asks for more than its candidates is measured against what as much would have bought: more "
        "candidates for a vote. One answer costs its candidates and one of the strategy's outputs; between whole "
        "numbers of candidates the curve is a line. Differences are paired by problem, with 95 % intervals."
    )
    table = Table("Every curve at what a strategy costs", head, rows, notes)
    return Section("equal-budgets", "Equal budgets", (text,), (table,), (_figure(data),), order=45)


def _row(one: Budget) -> list[str]:
    reached = estimate(one.accuracy) if one.accuracy is not None else "unknown"
    name = f"{one.curve.removesuffix('@k')}@{one.k:.1f}"
    return [one.strategy, one.measure, name, reached, estimate(one.difference, signed=True)]


def _figure(data: ReportData) -> Figure:
    """Curves over what their candidates generate, and each strategy where it stands."""
    each = data.candidate_tokens
    shown = dict.fromkeys(one.curve for one in data.budgets if one.measure == "generated tokens")
    lines = []
    for name in shown:
        owner = next((place for place, one in enumerate(data.strategies) if one.curve == name), len(data.strategies))
        points = tuple(Point.of(k * each, found) for k, found in data.curves[name].points.items())
        lines.append(Series(name, points, owner))
    costs = {one.strategy: one.cost for one in data.budgets if one.measure == "generated tokens"}
    singles = [
        Series(label, (Point.of(cost, found),), data.color(label))
        for label, cost in costs.items()
        if (found := data.strategy(label).accuracy) is not None
    ]
    title = "Accuracy against what one answer costs"
    return Figure("equal-budgets", title, "curve", "generated tokens", "accuracy, %", (*lines, *singles))
