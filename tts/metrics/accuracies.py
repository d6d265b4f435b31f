"""How often strategies are right on the same groups of candidates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.grading import Graded
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.outcome_class import is_missing, is_there
from tts.vocabulary.records import Candidate, CurveName, Result, Usage

Set = tuple[str, str]  # digest and id of a problem


class Accuracies:
    """The first questions; `Comparison` answers them from its rows."""

    rows: list[Graded]
    strategies: list[str]
    k: int
    curve_names: dict[str, CurveName | None]  # what strategies declare, by label
    spent: dict[str, Usage]
    seconds: float

    @property
    def baseline(self) -> str | None:
        """The majority vote that the Refinement Gap is measured against; `None` where none is compared."""
        return next((label for label, name in self.curve_names.items() if name == "maj@k"), None)

    @cached_property
    def undecided(self) -> frozenset[str]:
        """The strategies that failed on every group: no accuracy of theirs would be a result."""
        lost = {label: [is_missing(row.outcome.results[label]) for row in self.rows] for label in self.strategies}
        return frozenset(label for label, every in lost.items() if self.rows and all(every))

    @property
    def results(self) -> list[Result]:
        """Every result, problem by problem, strategies in the order asked for."""
        return [row.outcome.results[label] for row in self.rows for label in self.strategies]

    @property
    def failed(self) -> list[Result]:
        """The results that have an error instead of a decision."""
        return [result for result in self.results if result.error is not None]

    def correct(self, strategy: str) -> list[float | None]:
        """For each group, the share of the strategy's outputs that are correct.

        `None` without a gold answer, and where the decision is missing.
        """
        self._check(strategy)
        return [share_correct(row, strategy) for row in self.rows]

    def accuracy(self, strategy: str) -> Estimate | None:
        """Mean accuracy of a strategy over the groups that it decided.

        `None` where no problem has a gold answer, or it failed on every group. See `bounds` for all groups.
        """
        self._check(strategy)
        return None if strategy in self.undecided else self._mean(lambda row: share_correct(row, strategy))

    @cached_property
    def pass_at_1(self) -> Estimate | None:
        """Mean accuracy of single candidates, of those that are there, each problem's own mean first.

        The same, whatever the groups: it is the first point of the curves.
        """
        found: dict[Set, list[bool]] = defaultdict(list)
        for row in self.rows:
            found[set_of(row)] += present(row) if row.candidates is not None else ()
        return clustered_mean(((key[0], sum(own) / len(own)) for key, own in found.items() if own), (0.0, 1.0))

    def passes(self, strategy: str | None = None) -> list[float]:
        """Accuracies of single passes over the problems: of candidates 0, 1, 2 …, or of a strategy on groups 0, 1 ….

        Their mean is mean@n, their standard deviation what another seed would change. Over the problems with a gold
        answer, as many passes as every one of them has; none where something is missing.
        """
        found: dict[Set, list[float | None]] = defaultdict(list)
        for row in self.rows:
            if row.candidates is not None and strategy is None:
                new = counted(row)
                there = [float(right) for right in row.candidates[: len(new)]]
                found[set_of(row)] += [one if is_there(c) else None for c, one in zip(new, there, strict=True)]
            elif row.decisions is not None and strategy is not None:
                found[set_of(row)].append(share_correct(row, strategy))
        passes = list(zip(*found.values(), strict=False))
        whole = [[one for one in every if one is not None] for every in passes]
        same = all(len(one) == len(every) for one, every in zip(whole, passes, strict=True))
        return [sum(one) / len(one) for one in whole] if same else []

    @cached_property
    def pass_at_k(self) -> Estimate | None:
        """Share of groups with at least one correct candidate: what an oracle that selects would reach.

        Of the candidates that are there, as strategies see them; a group without any is left out. `None` where a
        strategy stopped before all k were there.
        """
        if any(stopped(row, self.k) for row in self.rows):
            return None
        return self._mean(
            lambda row: float(any(there)) if row.candidates is not None and (there := present(row)) else None
        )

    def _expected(self, row: Graded) -> int:
        """How many candidates of a group were asked for.

        Where the problem failed before any came, as many as other groups have, which may be fewer than k: `first` asks
        for one.
        """
        there = len(row.outcome.candidates)
        return there if there or decided(row) else self._asked

    @cached_property
    def _asked(self) -> int:
        return max((len(row.outcome.candidates) for row in self.rows), default=0) or self.k

    def n_correct(self, row: Graded) -> int | None:
        """N_c, the number of correct candidates of a complete group; `None` for any other."""
        return self._n_correct[id(row)] if id(row) in self._n_correct else _n_correct(row, self.k)

    @cached_property
    def _n_correct(self) -> dict[int, int | None]:
        """Of each row, which lives as long as the comparison; asked for by every table."""
        return {id(row): _n_correct(row, self.k) for row in self.rows}

    def order_sensitivity(self, strategy: str) -> Estimate | None:
        """How often another order of the candidates changes the strategy's answer: a share of groups and orders.

        `None` where no order was tried: without order trials, and for strategies that declare themselves invariant and
        show no list of candidates in a prompt. Where another order is another prompt, what is sampled is sampled anew,
        and that alone may change an answer.
        """
        self._check(strategy)

        def share(row: Graded) -> float | None:
            changed = (row.outcome.changed or {}).get(strategy)
            return sum(changed) / len(changed) if changed else None

        return self._mean(share)

    def mean_seconds(self, strategy: str) -> float:
        """Mean seconds from when the model took a problem up to the strategy's decision."""
        return sum(row.outcome.results[strategy].seconds for row in self.rows) / max(len(self.rows), 1)

    def rates(self, strategy: str) -> dict[str, tuple[int, int]]:
        """How often things happened in a strategy's decisions, of how often they could have; see `tts.Decision`."""
        self._check(strategy)
        decisions = [d for row in self.rows if (d := row.outcome.results[strategy].decision) is not None]
        names = dict.fromkeys(name for decision in decisions for name in decision.rates)
        pairs = {name: [d.rates[name] for d in decisions if name in d.rates] for name in names}
        return {name: (sum(n for n, _ in found), sum(of for _, of in found)) for name, found in pairs.items()}

    def _mean(
        self, value: Callable[[Graded], float | None], bounds: tuple[float, float] = (0.0, 1.0)
    ) -> Estimate | None:
        pairs = ((row.outcome.problem.digest, value(row)) for row in self.rows)
        return clustered_mean(((problem, number) for problem, number in pairs if number is not None), bounds)

    def _check(self, strategy: str) -> None:
        if strategy not in self.strategies:
            raise ConfigError(f"{strategy!r} is not in this comparison; it has {', '.join(self.strategies)}")


def n_correct_values(compared: Accuracies) -> list[int]:
    """Every N_c that occurs, most first."""
    return sorted({n for row in compared.rows if (n := compared.n_correct(row)) is not None}, reverse=True)


def _n_correct(row: Graded, k: int) -> int | None:
    return sum(there) if row.candidates is not None and len(there := present(row)) == k else None


def share_correct(row: Graded, strategy: str) -> float | None:
    """The share of a strategy's outputs for one group that are correct.

    `None` without a gold answer, and where the decision is missing: that is not a wrong answer.
    """
    if row.decisions is None or is_missing(row.outcome.results[strategy]):
        return None
    verdicts = row.decisions[strategy]
    return sum(verdicts) / len(verdicts)


def present(row: Graded) -> list[bool]:
    """The grades of the candidates that are there; what is missing is as if it had not been asked for.

    Without a gold answer all are `False`, as many as there are.
    """
    grades = row.candidates if row.candidates is not None else (False,) * len(row.outcome.candidates)
    given = zip(row.outcome.candidates, grades, strict=True)
    return [correct for one, correct in given if is_there(one)]


def counted(row: Graded) -> list[Candidate]:
    """The candidates that no earlier group has: all of them, unless groups overlap."""
    new = row.outcome.new
    return [one for one in row.outcome.candidates if new is None or one.index < new]


def stopped(row: Graded, k: int) -> bool:
    """A strategy decided before it had asked for all k: what is there is no fair sample."""
    return decided(row) and 0 < len(row.outcome.candidates) < k


def decided(row: Graded) -> bool:
    """Some strategy has a decision on the group."""
    return any(result.decision is not None for result in row.outcome.results.values())


def recorded(row: Graded) -> Mapping[str, Any]:
    """What stands beside the candidates of a group where they came from: lists, by name."""
    found = row.outcome.problem.metadata.get("recorded")
    return found if isinstance(found, Mapping) else {}


def set_of(row: Graded) -> Set:
    """What all groups of one problem and id share."""
    return row.outcome.problem.digest, row.outcome.problem.id
