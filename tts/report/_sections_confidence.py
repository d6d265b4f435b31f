"""The built-in sections on what confidence is worth."""

from __future__ import annotations

from tts.metrics.confidence import Calibration
from tts.metrics.tables import Table
from tts.report._words import estimate, interval, percent
from tts.report.data import ReportData, StrategyData
from tts.report.section import Figure, Point, Section, Series


def calibration(data: ReportData) -> Section | None:
    """Whether decisions are right as often as they are sure."""
    told = _told(data)
    if not told:
        return None
    rows = [
        [one.label, f"{found.told:,}", percent(found.error.mean), interval(found.error),
         estimate(found.over, signed=True), percent(found.brier.mean)]
        for one, found in told
    ]  # fmt: skip
    head = ["strategy", "decisions", "ECE, %", "95 % interval", "confidence minus accuracy", "Brier, %"]
    text = (
        "A decision that is 80 % sure should be right in 80 % of cases. The expected calibration error (ECE) is how "
        "far confidence is from accuracy, in the mean over bins of about equally many decisions. Noise alone makes it "
        "large, so it is corrected for noise; it is 0 where noise alone would show as much as is seen. In the figure "
        "a strategy below the dashed line is surer than it is right."
    )
    lines = [
        Series(
            one.label, tuple(Point.of(100 * bin_.confidence, bin_.accuracy) for bin_ in found.bins), _color(data, one)
        )
        for one, found in told
    ]
    least = min(point.at for line in lines for point in line.points if not isinstance(point.at, str))
    right = Series("right as often as sure", (Point(least, least), Point(100.0, 100.0)))
    figure = Figure(
        "reliability", "Reliability: accuracy of decisions by their confidence", "line", "confidence, %", "accuracy, %",
        (*lines, right),
    )  # fmt: skip
    return Section(
        "calibration", "Confidence", (text,), (Table("Calibration", head, rows, _notes(data)),), (figure,), 52
    )


def selective(data: ReportData) -> Section | None:
    """What is gained by leaving unsure decisions out."""
    told = _told(data)
    if not told:
        return None
    coverages = list(told[0][1].accuracy_at)
    rows = [
        [one.label, percent(found.risk.area.mean), interval(found.risk.area), percent(found.risk.random),
         percent(found.risk.best), *(estimate(found.accuracy_at[at]) for at in coverages)]
        for one, found in told
    ]  # fmt: skip
    head = ["strategy", "AURC, %", "95 % interval", "by lot", "at best",
            *(f"surest {100 * at:g} %" for at in coverages)]  # fmt: skip
    text = (
        "If only the surest decisions are used, and the others left to somebody else, how many are wrong? Coverage is "
        "the share that is used, risk the share of these that is wrong. The area under risk against coverage (AURC) is "
        "small where confidence tells right from wrong; by lot is what it would be if it told nothing, at best if all "
        "that is right came first. The last columns are the accuracy of the surest decisions."
    )
    lines = tuple(Series(one.label, _curve(found), _color(data, one)) for one, found in told)
    title = "Risk against coverage: how many of the surest decisions are wrong"
    figure = Figure("risk-coverage", title, "line", "coverage, % of decisions", "risk, % wrong", lines)
    return Section("selective", "Leaving unsure decisions out", (text,), (Table("Risk and coverage", head, rows),),
                   (figure,), 53)  # fmt: skip


def _curve(found: Calibration) -> tuple[Point, ...]:
    return tuple(
        Point(100 * at, 100 * (1 - one.mean), 100 * (1 - one.high), 100 * (1 - one.low))
        for at, one in found.curve.items()
    )


def _told(data: ReportData) -> list[tuple[StrategyData, Calibration]]:
    return [(one, one.calibration) for one in data.strategies if one.calibration is not None]


def _color(data: ReportData, one: StrategyData) -> int | None:
    return data.color(one.label)


def _notes(data: ReportData) -> list[str]:
    without = [one.label for one in data.strategies if one.calibration is None]
    notes = [f"No confidence: {', '.join(without)}."] if without else []
    partly = [
        f"{one.label} on {found.told:,} of {found.decided:,} decisions"
        for one, found in _told(data)
        if found.told < found.decided
    ]
    return [*notes, f"A confidence on some only: {'; '.join(partly)}."] if partly else notes
