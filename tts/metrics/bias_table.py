"""The table of what judges go by beside whether a candidate is right."""

from __future__ import annotations

from tts.metrics.estimate import Estimate
from tts.metrics.judge_bias import JudgeBias, Judged
from tts.metrics.tables import Table, percent


def bias_table(compared: Judged) -> Table:
    """A row for each strategy for which somebody chooses; below it, what cannot be known."""
    found = [one for label in compared.strategies if (one := compared.judge_bias(label)) is not None]
    head = ["strategy", "shown first", "longer", "own model", "flips", "other order"]
    rows = [[one.strategy, _signed(one.first), _signed(one.longer), _signed(one.own), _flips(one), _share(one.order)]
            for one in found]  # fmt: skip
    notes = compared.judge_bias_lines()
    notes += [f"{one.strategy} (by {one.by}) not known: {'; '.join(one.unknown)}" for one in found if one.unknown]
    title = "Bias of who chooses: points from even, intervals hold for all at once; flips, other order in %"
    return Table(title, head, rows, notes)


def _signed(found: Estimate | None) -> str:
    if found is None:
        return "unknown"
    return f"{100 * found.mean:+.1f} [{100 * found.low:+.0f}, {100 * found.high:+.0f}]"


def _flips(one: JudgeBias) -> str:
    return "unknown" if one.flips is None else f"{percent(one.flips[0] / one.flips[1])} of {one.flips[1]:,}"


def _share(found: Estimate | None) -> str:
    return "unknown" if found is None else percent(found.mean)
