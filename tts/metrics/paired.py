"""Strategies against each other on the same candidates: gaps, pairs, rescues, accuracy by correct candidates."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property, partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tts.metrics.accuracies import Set, n_correct_values, present, share_correct
from tts.metrics.difference import difference
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.grading import Graded
from tts.metrics.pairs import Pair, pairs_of
from tts.metrics.sampled_curves import SampledCurves
from tts.metrics.subset_decisions import DECIDED, decided_on, subsets_of

if TYPE_CHECKING:
    from tts.metrics.subset_decisions import Floats

Estimator = Literal["groups", "subsets"]


class Rescue(NamedTuple):
    """Shares of groups, by whether a strategy and its baseline are right; they add up to 1."""

    both: Estimate
    rescued: Estimate
    harmed: Estimate
    neither: Estimate


class _Decided(NamedTuple):
    """What strategies decide on the same subsets of one problem: `right` by strategy, `correct` candidates in each."""

    right: dict[str, Floats]
    correct: Floats


class Paired(SampledCurves):
    """The questions of two strategies; `Comparison` answers them from its rows."""

    estimator: Estimator = "groups"
    """What gaps, pairs, rescues and accuracies by N_c are over: the groups that were decided, or all subsets of k.

    All subsets only for strategies with a curve; any other has the groups that it decided on.
    """

    def estimated(self, *strategies: str) -> Estimator:
        """What the numbers of these strategies, taken together, are over."""
        over = self.estimator == "subsets" and all(self.unbiased(one) is not None for one in strategies)
        return "subsets" if over else "groups"

    def gap(self, strategy: str, baseline: str) -> Estimate | None:
        """Paired difference of accuracies on the groups that both decided.

        With self-refinement and `majority` this is the Refinement Gap (arXiv 2509.00084). Its interval is that of a
        single question; `pairs` has the verdict among all that are asked. `None` where one has no accuracy.
        """
        observed = self._differences(strategy, baseline)
        found = None if observed is None else difference(sorted((name, float(one)) for name, one in observed))
        return None if found is None else found.interval()

    def refinement_gap(self, strategy: str) -> Estimate | None:
        """Accuracy minus that of the majority vote on the same groups; `None` for the vote itself, and without one."""
        baseline = self.baseline
        return None if baseline is None or baseline == strategy else self.gap(strategy, baseline)

    def pairs(self) -> list[Pair]:
        """Every two strategies on the groups that both decided, judged together; see `tts.eval.Pair`.

        Empty without gold answers. Strategies that failed on every group are left out.
        """
        return list(self._pairs(self.estimator))

    def pair(self, a: str, b: str) -> Pair | None:
        """One of `pairs`, seen from the first; `None` where these two are not among them."""
        found = next((one for one in self._pairs(self.estimator) if {one.a, one.b} == {a, b}), None)
        return found if found is None or found.a == a else found.turned()

    def rescue(self, strategy: str, baseline: str | None = "majority") -> Rescue | None:
        """How often a strategy is right where a baseline is wrong (rescued), and the reverse (harmed).

        `baseline` is a strategy of this comparison, or `None` for the best candidate, the oracle that is right wherever
        some candidate is; what is rescued from it is an answer that no candidate had right. Where a strategy gives
        several outputs for a group, each counts as its part. Over the groups that both decided; `None` without gold
        answers, and where there is no such group.
        """
        self._check(strategy)
        if baseline is not None:
            self._check(baseline)
        if not self.undecided.isdisjoint({strategy, baseline}):
            return None
        cells = [list[tuple[str, float]]() for _ in range(4)]
        for problem, ours, theirs in self._sides(strategy, baseline):
            shares = (ours * theirs, ours * (1 - theirs), (1 - ours) * theirs, (1 - ours) * (1 - theirs))
            for cell, share in zip(cells, shares, strict=True):
                cell.append((problem, float(share.mean()) if not isinstance(share, float) else share))
        means = [clustered_mean(cell, (0.0, 1.0)) for cell in cells]
        return None if None in means else Rescue(*means)  # type: ignore[arg-type]  # none of them is None

    def by_n_correct(self, strategy: str) -> dict[int, Estimate]:
        """Accuracy by N_c, the number of correct candidates in the group, most first; empty where it has none."""
        if self.accuracy(strategy) is None:
            return {}
        if self.counted_over(strategy) == "subsets":
            return self._subsets_by_n_correct(strategy)
        strata = ((n, self._mean(partial(self._share_at, n_correct=n, strategy=strategy)))
                  for n in n_correct_values(self))  # fmt: skip
        return {n: share for n, share in strata if share is not None}

    def _share_at(self, row: Graded, n_correct: int, strategy: str) -> float | None:
        return share_correct(row, strategy) if self.n_correct(row) == n_correct else None

    def _subsets_by_n_correct(self, strategy: str) -> dict[int, Estimate]:
        """Each problem counts by how many of its subsets have so many correct candidates."""
        found = {}
        for n in range(self.k, -1, -1):
            values, weights = [], []
            for key, one in self._decided.items():
                at = one.correct == n
                if at.any():
                    values.append((key[0], float(one.right[strategy][at].mean())))
                    weights.append(float(at.mean()))
            share = clustered_mean(values, (0.0, 1.0), weights)
            if share is not None:
                found[n] = share
        return found

    def _sides(self, strategy: str, baseline: str | None) -> Sequence[tuple[str, Any, Any]]:
        """How right both are: for each group, or for each problem on each of its subsets."""
        if self.counted_over(strategy, *([] if baseline is None else [baseline])) == "subsets":
            return [
                (key[0], one.right[strategy], one.right[baseline] if baseline else (one.correct > 0).astype(float))
                for key, one in self._decided.items()
            ]
        sides = []
        for row in self.rows:
            ours = share_correct(row, strategy)
            theirs = float(any(present(row))) if baseline is None else share_correct(row, baseline)
            if ours is not None and theirs is not None:
                sides.append((row.outcome.problem.digest, ours, theirs))
        return sides

    def counted_over(self, *strategies: str) -> Estimator:
        """What rescues, and accuracies by N_c, of these are over: a curve's mean does not say what each subset does."""
        joint = self.estimated(*strategies) == "subsets" and all(self.curve_names[s] in DECIDED for s in strategies)
        return "subsets" if joint else "groups"

    @cached_property
    def _decided(self) -> dict[Set, _Decided]:
        import numpy as np

        asked = {s: name for s in self.strategies if (name := self.curve_names[s]) in DECIDED and self.unbiased(s)}
        found, places = {}, dict[int, Any]()
        for (key, one), labels in zip(self._sets.items(), self._labels, strict=True):
            n = len(one.candidates)
            if n not in places:
                places[n] = subsets_of(n, self.k)
            right = {
                label: decided_on(name, places[n], labels, one.correct, one.scores)
                for label, name in asked.items()
                if name is not None
            }
            found[key] = _Decided(right, np.asarray(one.correct, dtype=float)[places[n]].sum(axis=1))
        return found

    def _differences(self, a: str, b: str) -> list[tuple[str, Fraction | float]] | None:
        """(problem, difference) of what both decided; `None` where one has no accuracy."""
        if self.accuracy(a) is None or self.accuracy(b) is None:
            return None
        if self.estimated(a, b) == "subsets":
            ours, theirs = self._by_problem(a, self.k), self._by_problem(b, self.k)
            assert ours is not None
            assert theirs is not None
            return [(key[0], ours[key] - theirs[key]) for key in ours if key in theirs]
        both = ((row, _share_of(row, a), _share_of(row, b)) for row in self.rows)
        return [
            (row.outcome.problem.digest, x - y) for row, x, y in both if x is not None and y is not None
        ]  # of fractions, so that what is equal is

    def _pairs(self, estimator: Estimator) -> list[Pair]:
        if estimator not in self._pairs_by:
            observed = {
                (a, b): found
                for a, b in combinations(self.strategies, 2)
                if (found := self._differences(a, b)) is not None
            }
            self._pairs_by[estimator] = pairs_of(observed)
        return self._pairs_by[estimator]

    @cached_property
    def _pairs_by(self) -> dict[Estimator, list[Pair]]:
        return {}

    def _paired_summary(self) -> dict[str, Any]:
        """The part of `to_dict` that this module answers for."""
        rescues: dict[str, Any] = {}
        for label in self.strategies:
            baselines = {} if self.baseline in (None, label) else {"majority": self.baseline}
            found = {name: self.rescue(label, given) for name, given in {**baselines, "best candidate": None}.items()}
            rescues[label] = {
                name: {cell: one.to_dict() for cell, one in matrix._asdict().items()}
                for name, matrix in found.items()
                if matrix is not None
            }
        return {
            "estimator": self.estimator,
            "baseline": self.baseline,
            "curves": {name: one.to_dict() for name, one in self.curves().items()},
            "pairs": [one.to_dict() for one in self.pairs()],
            "rescue": rescues,
        }


def _share_of(row: Graded, strategy: str) -> Fraction | None:
    if share_correct(row, strategy) is None or row.decisions is None:
        return None
    verdicts = row.decisions[strategy]
    return Fraction(sum(verdicts), len(verdicts))
