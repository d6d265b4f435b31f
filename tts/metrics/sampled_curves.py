"""Curves of a comparison: accuracy against k over all subsets of the candidates that were sampled."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from tts.answers.expectation import expected
from tts.answers.forms import clusters_by, form_of
from tts.answers.shared import held
from tts.bridge.loop import run_sync
from tts.metrics.accuracies import Set, counted, present, set_of, stopped
from tts.metrics.brackets import knockout_at_k, recorded_wins
from tts.metrics.completeness import Completeness
from tts.metrics.curves import Subsets, best_of_at_k, curve, g_pass_at_k, maj_at_k, pass_at_k, weighted_maj_at_k
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.exchangeable import UnlikeSlots, unlike_slots
from tts.metrics.grading import Graded
from tts.metrics.origins import shown_order, written
from tts.vocabulary.clusters import Clusters
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.outcome_class import is_missing, is_there
from tts.vocabulary.records import Candidate

if TYPE_CHECKING:
    from tts.metrics.curves import Floats


_AT_ONCE = 64  # lists that are compared together, so that the worker waits for nobody


class Curve(NamedTuple):
    """Accuracy by k; `error` is the Monte Carlo standard error by k, `None` where the estimate is exact.

    The intervals in `points` hold the Monte Carlo error, too: it differs from problem to problem.
    """

    points: dict[int, Estimate]
    error: dict[int, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, k as text."""
        error = None if self.error is None else {str(k): value for k, value in self.error.items()}
        return {"points": {str(k): one.to_dict() for k, one in self.points.items()}, "monte_carlo_error": error}


class CandidatesOf(NamedTuple):
    """All graded candidates of one problem; scores are NaN where there is none."""

    problem: str
    text: str
    candidates: list[Candidate]
    correct: list[bool]
    scores: list[float]


class _Values(NamedTuple):
    """A curve's values: rows are problems, or groups for a knockout, columns are k; `sets` name the rows."""

    sets: list[Set]
    mean: Floats
    error: Floats

    def curve(self) -> Curve:
        """Means over rows, with intervals."""
        return Curve(curve([problem for problem, _ in self.sets], self.mean), _drawn_error(self.error))


class SampledCurves(Completeness):
    """The questions of curves; `Comparison` answers them from its rows."""

    answers_are: str = "auto"
    """What kind of answers its candidates have, by the words that `answers=` takes."""

    def curves(self) -> dict[str, Curve]:
        """pass@k, maj@k and, where a scorer was asked, BoN@k and weighted maj@k for every k from 1 to n; knockout@k.

        Unbiased estimates over all subsets of k of each problem's candidates, ties averaged; see `tts.eval.pass_at_k`,
        `maj_at_k`, `best_of_at_k` and `weighted_maj_at_k`. These differ from the table, which decides once for each of
        the non-overlapping groups of k. n is how many candidates the problem with the fewest has in its groups. What is
        missing is as if it had not been asked for: a candidate that failed is in no subset, a problem without any is
        left out. BoN@k needs a score of every candidate that is not blank,
        weighted maj@k one of every candidate with an answer. knockout@k, by `knockout_at_k`, is there where a
        `round_robin` has judged all pairs, for k up to that of its groups. Empty where nothing is graded, or where a
        strategy stopped before all k were there: then the candidates at hand are not a fair sample.
        """
        return dict(self._curves)

    def unbiased(self, strategy: str) -> Estimate | None:
        """The curve that estimates what a strategy does, at k: over all subsets, where the table has the groups of k.

        For strategies that declare a curve (`Strategy.curve`); `None` for any other, and where it is not to be had.
        """
        self._check(strategy)
        name = self.curve_names[strategy]
        single = name == "pass@1"
        found = self._curves.get("pass@k" if single else name or "")
        return found.points.get(1 if single else self.k) if found else None

    @cached_property
    def unlike_slots(self) -> UnlikeSlots | None:
        """Whether candidates of one set are right more or less often by their place in it; `None` where none tells.

        Of sets without holes. Slots count from 0, groups put together again.
        """
        whole: dict[str, list[bool]] = {}
        for row in self.rows:
            if row.candidates is not None and len(row.candidates) == self.k == len(present(row)):
                whole.setdefault(row.outcome.problem.digest, []).extend(row.candidates[: len(counted(row))])
        return unlike_slots(whole)

    def g_pass(self, tau: float, k: int | None = None) -> Estimate | None:
        """G-Pass@k(τ): how often at least τ k of k candidates are right, over all subsets; k is that of the groups.

        By `tts.eval.g_pass_at_k`; how steadily a policy is right, where pass@k asks whether it ever is. `None` where
        there are no curves, or fewer candidates than k.
        """
        import numpy as np

        size = self.k if k is None else k
        if not 0 < tau <= 1 or size < 1:
            raise ConfigError(f"tau={tau}, k={size}: give a share above 0, up to 1, of one candidate or more")
        if "pass@k" not in self._curve_values or size > self._curve_values["pass@k"].mean.shape[1]:
            return None
        every = self._sets.values()
        values = [(one.problem, float(g_pass_at_k(np.array([one.correct]), tau)[0, size - 1])) for one in every]
        return clustered_mean(values, (0.0, 1.0))

    def _by_problem(self, strategy: str, k: int) -> dict[Set, float] | None:
        """Each problem's own value of the strategy's curve at k; `None` where `unbiased` has none."""
        name = self.curve_names[strategy]
        single = name == "pass@1"
        found = self._curve_values.get("pass@k" if single else name or "")
        if found is None or (1 if single else k) > found.mean.shape[1]:
            return None
        every: dict[Set, list[float]] = {}
        for key, value in zip(found.sets, found.mean[:, 0 if single else k - 1].tolist(), strict=True):
            every.setdefault(key, []).append(value)
        return {key: math.fsum(own) / len(own) for key, own in every.items()}

    @cached_property
    def _curves(self) -> dict[str, Curve]:
        return {name: found.curve() for name, found in self._curve_values.items()}

    @cached_property
    def _curve_values(self) -> dict[str, _Values]:
        sets = self._sets
        if any(stopped(row, self.k) for row in self.rows):
            return {}
        every = list(sets.values())
        n = min((len(one.candidates) for one in every), default=0)
        usable = [score for one in every for c, score in zip(one.candidates, one.scores, strict=True) if c.ok]
        voting = [score for one in every for c, score in zip(one.candidates, one.scores, strict=True) if _votes(c)]
        kinds = ["pass@k", "maj@k"] if n else []
        kinds += ["BoN@k"] if usable and not any(map(math.isnan, usable)) else []
        kinds += ["weighted maj@k"] if voting and not any(map(math.isnan, voting)) else []
        found = {kind: _Values(list(sets), *_values_of(every, kind, n, self._labels)) for kind in kinds}
        knockout = self._knockout_values() if found else None
        return found if knockout is None else {**found, "knockout@k": knockout}

    def _knockout_values(self) -> _Values | None:
        """Brackets within each group, whose pairs have been judged, up to the size of the smallest; see `curves`."""
        import numpy as np

        sampled = [row for row in self.rows if row.candidates is not None and present(row)]
        for strategy in self.strategies:
            rows = [row for row in sampled if not is_missing(row.outcome.results[strategy])]
            wins = [recorded_wins(row.outcome.results[strategy], self.k) for row in rows]
            if not rows or any(one is None for one in wins):
                continue
            n = min(len(present(row)) for row in rows)
            mean, error = np.zeros((len(rows), n)), np.zeros((len(rows), n))
            for there in {_there(row) for row in rows}:
                places = [i for i, row in enumerate(rows) if _there(row) == there]
                beaten = np.array([wins[i] for i in places])[:, there][:, :, there]
                found = knockout_at_k(beaten, [present(rows[i]) for i in places])
                mean[places], error[places] = found.mean[:, :n], found.error[:, :n]
            return _Values([set_of(row) for row in rows], mean, error)
        return None

    @cached_property
    def _sets(self) -> dict[Set, CandidatesOf]:
        """The groups of one problem and id put together again, without what is missing."""
        sets: dict[Set, CandidatesOf] = {}
        for row in self.rows:
            there = [one for one in counted(row) if is_there(one)]
            if row.candidates is None or not there:
                continue
            outcome = row.outcome
            empty = CandidatesOf(outcome.problem.digest, outcome.problem.text, [], [], [])
            found = sets.setdefault(set_of(row), empty)
            found.candidates.extend(there)
            found.correct.extend(present(row)[: len(there)])
            scores = outcome.scores or {}
            found.scores.extend(scores.get(c.index, math.nan) for c in there)
        return sets

    @cached_property
    def _labels(self) -> list[list[int]]:
        """Answer classes of the candidates of each set; −1 for no vote."""
        return [[-1 if label is None else label for label in one.labels] for one in self._compared[0]]

    @cached_property
    def _classes(self) -> dict[tuple[str, int], Clusters]:
        """Classes of a result's answers and then of its candidates', by strategy and row.

        Of what was written, or chosen from a list: what a vote or a score chose needs no such comparison.
        """
        return self._compared[1]

    @cached_property
    def _compared(self) -> tuple[list[Clusters], dict[tuple[str, int], Clusters]]:
        """All answers that are to be compared, in one go: what a worker has said of a pair holds for every strategy."""
        sets = [[c.answer if c.ok else None for c in one.candidates] for one in self._sets.values()]
        places = {
            (label, place): result
            for label in self.strategies
            for place, row in enumerate(self.rows)
            if written(result := row.outcome.results[label]) or shown_order(result)
        }
        answers = [[one.answer, *one.alternatives, *(c.answer for c in one.candidates)] for one in places.values()]
        problems = [one.text for one in self._sets.values()]
        problems += [self.rows[place].outcome.problem.text for _, place in places]
        found = cluster_lists([*sets, *answers], problems, self.answers_are)
        return found[: len(sets)], dict(zip(places, found[len(sets) :], strict=True))


def _values_of(
    sets: Sequence[CandidatesOf], kind: str, n: int, labels: Sequence[Sequence[int]]
) -> tuple[Floats, Floats]:
    """One curve's values over sets of any size, cut at n, with their error; sets of one size are one array."""
    import numpy as np

    mean, error = np.zeros((len(sets), n)), np.zeros((len(sets), n))
    for size in {len(one.candidates) for one in sets}:
        places = [i for i, one in enumerate(sets) if len(one.candidates) == size]
        correct = np.array([sets[i].correct for i in places])
        scores = np.array([sets[i].scores for i in places])
        votes = np.array([labels[i] for i in places])
        found = _estimates(kind, correct, scores, votes)
        mean[places], error[places] = found.mean[:, :n], found.error[:, :n]
    return mean, error


def _drawn_error(error: Floats) -> dict[int, float] | None:
    """Monte Carlo error of the mean over rows by k; `None` where nothing was drawn."""
    import numpy as np

    drawn = np.sqrt((error**2).sum(axis=0)) / len(error)
    return dict(enumerate(drawn.tolist(), 1)) if error.any() else None


def _estimates(kind: str, correct: Floats, scores: Floats, votes: Floats) -> Subsets:
    import numpy as np

    if kind == "maj@k":
        return maj_at_k(votes, correct)
    if kind == "weighted maj@k":
        return weighted_maj_at_k(votes, np.nan_to_num(scores), correct)
    # What has no score is blank: it is chosen only where all are.
    exact = pass_at_k(correct) if kind == "pass@k" else best_of_at_k(np.nan_to_num(scores, nan=-np.inf), correct)
    return Subsets(exact, np.zeros_like(exact))


def cluster_lists(lists: Sequence[Sequence[str | None]], problems: Sequence[str], kind: str = "auto") -> list[Clusters]:
    """Equivalence classes of the answers of each list, under what the text of its problem asks for.

    `kind` is what kind of answers they are, by the words of `tts.answers.forms`.
    """
    asked = [expected(problem) for problem in problems]
    if (key := form_of(kind).key) is not None:
        return [clusters_by(one, key) for one in lists]

    async def work() -> list[Clusters]:
        found: list[Clusters] = []
        with held() as answers:
            for start in range(0, len(lists), _AT_ONCE):
                found += await asyncio.gather(
                    *map(answers.cluster, lists[start : start + _AT_ONCE], asked[start : start + _AT_ONCE])
                )
        return found

    return run_sync(work) if lists else []


def _there(row: Graded) -> tuple[int, ...]:
    """The places of the candidates that are there."""
    return tuple(i for i, one in enumerate(row.outcome.candidates) if is_there(one))


def _votes(candidate: Candidate) -> bool:
    return candidate.ok and candidate.answer is not None
