"""Equal budgets: what a vote, or a score, reaches for what a strategy costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from tts.contracts.prices import Prices
from tts.metrics.accuracies import Set, set_of, share_correct
from tts.metrics.difference import clustered_difference
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.followed import Followed
from tts.vocabulary.outcome_class import is_there
from tts.vocabulary.records import CurveName, Usage

Measure = Literal["generated tokens", "all tokens", "money", "model-seconds"]
MEASURES: tuple[Measure, ...] = ("generated tokens", "all tokens", "money", "model-seconds")
_BY_USAGE: dict[Measure, Callable[[Usage], float]] = {
    "generated tokens": lambda usage: usage.generated_tokens,
    "all tokens": lambda usage: usage.total_tokens,
    "model-seconds": lambda usage: usage.seconds,
}


class Budget(NamedTuple):
    """A strategy against a curve at the strategy's own cost; prints as one line.

    `cost` is what one answer costs with the strategy, its candidates included and one of its outputs, `k` how many
    candidates the curve has for as much, `sampled` how many there are. `accuracy` is the curve's there, between whole
    numbers of candidates by a line, `difference` the strategy's accuracy minus that, paired by problem. Both are `None`
    where more candidates would be needed than were sampled.
    """

    strategy: str
    curve: CurveName
    measure: Measure
    cost: float
    k: float
    sampled: int
    accuracy: Estimate | None
    difference: Estimate | None

    def __str__(self) -> str:
        name = self.curve.removesuffix("@k")
        costs = f"{self.strategy} costs as much as {self.k:.1f} candidates ({self.measure})"
        if self.accuracy is None or self.difference is None:
            more = math.ceil(self.k)
            return f"{costs}; {self.sampled} were sampled, so {name}@{self.k:.1f} is unknown: sample {more} to compare"
        found = self.difference
        bounds = f" ({100 * found.low:+.1f} … {100 * found.high:+.1f})" if found.bounded else ""
        return (
            f"{costs}; {name}@{self.k:.1f} has {100 * self.accuracy.mean:.1f}, {self.strategy} is "
            f"{100 * found.mean:+.1f} points{bounds}"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        told = {name: one.to_dict() if one else None for name, one in (("accuracy", self.accuracy),
                                                                       ("difference", self.difference))}  # fmt: skip
        return self._asdict() | told


class EqualBudgets(Followed):
    """The questions of equal cost; `Comparison` answers them from its rows."""

    def equal_budgets(self, measure: Measure = "generated tokens", prices: Prices | None = None) -> list[Budget]:
        """Every strategy that costs more than its candidates against maj@k, and the curves of others, at its cost.

        One candidate costs what candidates cost in the mean, with what the curve's own strategy asks of other models
        for each. "money" goes by `prices`. Wall time is no measure here: candidates are sampled side by side, so more
        of them need not take longer. Empty where what candidates cost is not known.
        """
        each = self._per_candidate(measure, prices)
        if each is None:
            return []
        found: list[Budget] = []
        for strategy in self.strategies:
            cost = self._per_group(strategy, measure, prices)
            dear = cost > self.k * each * (1 + 1e-9) and self.accuracy(strategy) is not None
            found += [
                self._budget(strategy, curve, measure, cost, each + self._extra(curve, measure, prices))
                for curve in (self._affordable() if dear else ())
                if curve != self.curve_names[strategy]
            ]
        return found

    @property
    def candidate_tokens(self) -> float | None:
        """What a candidate has generated in the mean; `None` where that is not known."""
        return self._per_candidate("generated tokens", None)

    def _per_candidate(self, measure: Measure, prices: Prices | None) -> float | None:
        used = [c.usage for row in self.rows for c in row.outcome.candidates if is_there(c)]
        if not self.usage_known or (measure == "money" and prices is None):
            return None
        each = _cost({"policy": Usage.total(used)}, measure, prices) / len(used)
        return each or None  # seconds of what was stored before they were measured

    def _per_group(self, strategy: str, measure: Measure, prices: Prices | None) -> float:
        """One answer of a strategy: its candidates, and what it asks beyond them for one of its outputs."""
        costs = []
        for row in self.rows:
            result = row.outcome.results[strategy]
            received = _cost({"policy": Usage.total([c.usage for c in result.candidates])}, measure, prices)
            beyond = max(_cost(result.usage, measure, prices) - received, 0.0)
            costs.append(received + beyond / (1 + len(result.alternatives)))
        return math.fsum(costs) / max(len(costs), 1)

    def _affordable(self) -> list[CurveName]:
        names = ["maj@k", *(name for name in self.curve_names.values() if name not in (None, "pass@1", "maj@k"))]
        return [name for name in dict.fromkeys(names) if name in self._curve_values and name != "knockout@k"]

    def _extra(self, curve: CurveName, measure: Measure, prices: Prices | None) -> float:
        """What the curve's own strategy asks of scorers and judges, for each candidate."""
        owner = next((label for label, name in self.curve_names.items() if name == curve), None)
        if owner is None:
            return 0.0
        others = {role: usage for role, usage in self.costs(owner).items() if role != "policy"}
        return _cost(others, measure, prices) / max(len(self.rows), 1) / self.k

    def _budget(self, strategy: str, curve: CurveName, measure: Measure, cost: float, each: float) -> Budget:
        values, k = self._curve_values[curve], cost / each
        sampled = values.mean.shape[1]
        if k > sampled + 1e-9:
            return Budget(strategy, curve, measure, cost, k, sampled, None, None)
        below = min(max(int(k), 1), sampled)
        above, part = min(below + 1, sampled), max(k - below, 0.0)
        at = (1 - part) * values.mean[:, below - 1] + part * values.mean[:, above - 1]
        theirs = dict(zip(values.sets, at.tolist(), strict=True))
        ours = self._own_means(strategy)
        accuracy = clustered_mean(((key[0], one) for key, one in theirs.items()), (0.0, 1.0))
        difference = clustered_difference((key[0], one - theirs[key]) for key, one in ours.items() if key in theirs)
        return Budget(strategy, curve, measure, cost, k, sampled, accuracy, difference)

    def _own_means(self, strategy: str) -> dict[Set, float]:
        """A strategy's accuracy on each problem."""
        shares: dict[Set, list[float]] = {}
        for row in self.rows:
            if (share := share_correct(row, strategy)) is not None:
                shares.setdefault(set_of(row), []).append(share)
        return {key: math.fsum(own) / len(own) for key, own in shares.items()}

    def _budget_summary(self) -> dict[str, Any]:
        """The part of `to_dict` that this module answers for; what hangs on the run, seconds, is not in it."""
        measures: tuple[Measure, ...] = ("generated tokens", "all tokens")
        return {
            "usage_known": self.usage_known,
            "equal_budgets": [one.to_dict() for measure in measures for one in self.equal_budgets(measure)],
        }


def _cost(usage: dict[str, Usage], measure: Measure, prices: Prices | None) -> float:
    if measure == "money":
        return prices.of(usage) if prices is not None else 0.0
    return math.fsum(_BY_USAGE[measure](one) for one in usage.values())
