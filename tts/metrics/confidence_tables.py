"""The tables of what confidence is worth, of strata."""

from __future__ import annotations

from tts.metrics.confidence import Confidence
from tts.metrics.estimate import Estimate
from tts.metrics.strata import SMALL, Strata, Stratified
from tts.metrics.tables import Table, percent

_AT = (0.5, 0.8)  # coverages that the table shows


def calibration_table(compared: Confidence) -> Table:
    """A row for each strategy that tells a confidence; which tell none is said."""
    found = {label: one for label in compared.strategies if (one := compared.calibration(label)) is not None}
    rows = [
        [
            label,
            percent(one.error.mean),
            _bounds(one.error),
            f"{100 * one.over.mean:+.1f}",
            percent(one.risk.area.mean),
            percent(one.risk.random),
            *(percent(one.accuracy_at[coverage].mean) for coverage in _AT),
        ]
        for label, one in found.items()
    ]
    head = ["strategy", "ECE", "95 % interval", "over", "AURC", "by lot", *(f"at {100 * at:g} %" for at in _AT)]
    notes = []
    without = [label for label in compared.strategies if label not in found]
    if without:
        notes.append(f"no confidence: {', '.join(without)}")
    partly = [f"{label} on {one.told:,} of {one.decided:,}" for label, one in found.items() if one.told < one.decided]
    if partly:
        notes.append(f"a confidence on some decisions only: {'; '.join(partly)}")
    notes.append(
        "ECE: corrected for noise, 0 where noise alone shows as much; over: confidence minus accuracy; AURC: risk "
        "where unsure decisions are left out, by lot if confidence told nothing; at 50 %: accuracy of the surest half"
    )
    return Table("Confidence: is it right as often as it is sure?", head, rows, notes)


def strata_tables(compared: Strata) -> list[Table]:
    """For each column in `by` the accuracies, then the gaps."""
    tables = []
    for found in compared.stratified().values():
        tables.append(_accuracies(compared, found))
        if any(one.gaps for one in found.strata):
            tables.append(_gaps(found))
    return tables


def _accuracies(compared: Strata, found: Stratified) -> Table:
    labels = [label for label in compared.strategies if any(label in one.accuracy for one in found.strata)]
    rows = [
        [
            one.name,
            f"{one.problems:,}",
            f"{one.groups:,}",
            _mean(one.pass_at_1),
            *(_with_bounds(one.accuracy.get(label)) for label in labels),
        ]
        for one in found.strata
    ]
    notes = list(found.notes)
    small = [f"{one.name} ({one.problems})" for one in found.strata if one.small]
    if small:
        notes.append(f"fewer than {SMALL} problems, too few for intervals that were tried: {', '.join(small)}")
    head = [found.by, "problems", "groups", "pass@1", *labels]
    return Table(f"Accuracy by {found.by}, with 95 % intervals", head, rows, notes)


def _gaps(found: Stratified) -> Table:
    rows = [
        [one.name, label, f"{100 * gap.difference.mean:+.1f}", _signed(gap.among), gap.verdict]
        for one in found.strata
        for label, gap in one.gaps.items()
    ]
    head = [found.by, "strategy", "gap", "95 % interval", "verdict"]
    notes = [f"intervals hold for all {found.compared} gaps of this table at once, and verdicts go by them"]
    return Table(f"Gap to majority by {found.by}", head, rows, notes if found.compared > 1 else [])


def _mean(found: Estimate | None) -> str:
    return "" if found is None else percent(found.mean)


def _bounds(found: Estimate) -> str:
    return f"{percent(found.low)} … {percent(found.high)}" if found.bounded else ""


def _with_bounds(found: Estimate | None) -> str:
    if found is None:
        return ""
    return f"{percent(found.mean)} [{percent(found.low)}, {percent(found.high)}]" if found.bounded else _mean(found)


def _signed(found: Estimate) -> str:
    return f"{100 * found.low:+.1f} … {100 * found.high:+.1f}" if found.bounded else ""
