"""How much of a comparison is there: outcome classes, bounds, the effective number of candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from tts.metrics.accuracies import Set, counted, present, set_of, share_correct, stopped
from tts.metrics.costs import Costs
from tts.metrics.grading import Graded
from tts.metrics.missing import MaxFailed, Missing, reasons_of
from tts.vocabulary.outcome_class import (
    CLASSES,
    OutcomeClass,
    candidate_class,
    is_missing,
    is_there,
    result_classes,
    was_cut,
)
from tts.vocabulary.records import Candidate


class Bounds(NamedTuple):
    """A share over all, what is missing included: `low` where all of that is wrong, `high` where all of it is right."""

    low: float
    high: float


class Cut(NamedTuple):
    """How many candidates were cut, of how many that were sampled; `max_tokens` is the limit where that is known."""

    cut: int
    of: int
    max_tokens: int | None

    def __str__(self) -> str:
        limit = "at the limit of tokens" if self.max_tokens is None else f"at max_tokens={self.max_tokens}"
        many = "response was" if self.of == 1 else "responses were"
        return f"{self.cut:,} of {self.of:,} {many} cut {limit}"


class Completeness(Costs):
    """The questions of what is there; `Comparison` answers them from its rows."""

    max_tokens: int | None = None
    """The limit of tokens that candidates were sampled with, where the comparison sampled them under one."""

    def outcome_classes(self, strategy: str | None = None) -> dict[OutcomeClass, int]:
        """How many outputs of a strategy, or how many candidates (`None`), are of each class that occurs.

        correct, wrong, ungraded (without a gold answer), no answer, truncated, refused, failed: each is of one class. A
        failed result counts as one output. What was never sampled because its problem failed first counts as failed.
        """
        if strategy is not None:
            self._check(strategy)
            found = Counter(one for row in self.rows for one in _classes(row, strategy))
        else:
            found = Counter(one for row in self.rows for one in candidate_classes(row))
            found["failed"] += sum(self._counted(row) - len(counted(row)) for row in self.rows)
        return {name: found[name] for name in CLASSES if found[name]}

    @cached_property
    def missing(self) -> Missing:
        """What of the candidates and decisions is missing; its `check` raises where that is too much."""
        lost: list[Candidate] = []
        never, of, incomplete = 0, 0, set[Set]()
        undecided = [result for result in self.results if is_missing(result)]
        for row in self.rows:
            own = [one for one in counted(row) if not is_there(one)]
            absent = self._counted(row) - len(counted(row))
            lost, never, of = lost + own, never + absent, of + self._counted(row)
            if own or absent or any(map(is_missing, row.outcome.results.values())):
                incomplete.add(set_of(row))
        return Missing(
            problems=len({set_of(row) for row in self.rows}),
            incomplete=len(incomplete),
            candidates=of,
            candidates_missing=len(lost) + never,
            decisions=len(self.results),
            decisions_missing=len(undecided),
            reasons=reasons_of(lost, undecided),
        )

    def raise_for_missing(self, max_failed: MaxFailed = 0) -> None:
        """Raise `IncompleteError` where more problems are incomplete than tolerated: a number, or a share as "5%".

        A problem is incomplete where a decision or a candidate of it is missing. Tables and files are there before.
        """
        self.missing.check(max_failed)

    @property
    def effective_k(self) -> float | None:
        """How many candidates are there in the mean, of groups that have any: k where none is missing.

        `None` without groups of k. What a strategy never asked for, since it was sure before, is not missing, and such
        groups do not count.
        """
        counts = [len(present(row)) for row in self.rows if self._expected(row) == self.k and present(row)]
        return sum(counts) / len(counts) if counts else None

    def bounds(self, strategy: str) -> Bounds | None:
        """Accuracy over all groups, those without a decision as wrong, and as right; `None` without gold answers."""
        self._check(strategy)
        return self._bounds(lambda row: share_correct(row, strategy))

    @cached_property
    def pass_at_1_bounds(self) -> Bounds | None:
        """pass@1 over all candidates, those that are missing as wrong, and as right; `None` without gold answers."""
        graded = [row for row in self.rows if row.candidates is not None]
        right, lost, every = Counter[Set](), Counter[Set](), Counter[Set]()
        for row in graded:
            key, there = set_of(row), present(row)
            right[key] += sum(there)
            lost[key] += self._expected(row) - len(there)
            every[key] += self._expected(row)
        low = [right[key] / of for key, of in every.items() if of]
        high = [(right[key] + lost[key]) / of for key, of in every.items() if of]
        return Bounds(sum(low) / len(low), sum(high) / len(high)) if low else None

    @cached_property
    def pass_at_k_bounds(self) -> Bounds | None:
        """pass@k over all groups: where nothing that is there is right, what is missing is wrong, and is right.

        `None` where `pass_at_k` is not to be had though nothing is missing.
        """
        if any(stopped(row, self.k) for row in self.rows):
            return None
        graded = [row for row in self.rows if row.candidates is not None]
        low = [float(any(present(row))) for row in graded]
        open_ = [not right and len(present(row)) < self.k for right, row in zip(low, graded, strict=True)]
        return Bounds(sum(low) / len(low), (sum(low) + sum(open_)) / len(low)) if graded else None

    @property
    def cut(self) -> Cut | None:
        """How many candidates were cut at the limit of tokens, whether or not they have an answer; `None` for none."""
        sampled = [one for row in self.rows for one in counted(row) if one.error is None]
        return cut_of(sampled, self.max_tokens)

    def _counted(self, row: Graded) -> int:
        """How many candidates were asked for that no earlier group has."""
        new = row.outcome.new
        return self._expected(row) if new is None else min(self._expected(row), new)

    def _bounds(self, value: Callable[[Graded], float | None]) -> Bounds | None:
        graded = [value(row) for row in self.rows if row.decisions is not None]
        known = [one for one in graded if one is not None]
        if not graded:
            return None
        return Bounds(sum(known) / len(graded), (sum(known) + len(graded) - len(known)) / len(graded))

    def _completeness(self) -> dict[str, Any]:
        """The part of `to_dict` that this module answers for."""
        cut = self.cut
        return {
            "missing": self.missing.to_dict() | {"effective_k": self.effective_k},
            "candidate_outcomes": self.outcome_classes(),
            "pass@1_bounds": self.pass_at_1_bounds,
            f"pass@{self.k}_bounds": self.pass_at_k_bounds,
            "cut": None if cut is None else cut._asdict(),
        }


def candidate_classes(row: Graded) -> list[OutcomeClass]:
    """The class of each candidate of a group, of those that no earlier group has."""
    grades = row.candidates if row.candidates is not None else (None,) * len(row.outcome.candidates)
    return [candidate_class(one, correct) for one, correct in zip(counted(row), grades, strict=False)]


def cut_of(candidates: Sequence[Candidate], max_tokens: int | None) -> Cut | None:
    """How many of these were cut; the limit is named where none of them ended before it."""
    cut = [one for one in candidates if was_cut(one)]
    early = any(one.usage.generated_tokens < (max_tokens or 0) for one in cut)
    return Cut(len(cut), len(candidates), None if early else max_tokens) if cut else None


def _classes(row: Graded, strategy: str) -> Sequence[OutcomeClass]:
    return result_classes(row.outcome.results[strategy], (row.decisions or {}).get(strategy))
