"""What a comparison can be asked beyond its table: curves, pairs, rescues, origins of answers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from tts.answers.expectation import expected
from tts.answers.forms import clusters_by, form_of
from tts.answers.shared import held
from tts.bridge.loop import run_sync
from tts.metrics.accuracies import Accuracies, present, set_of, share_correct, stopped
from tts.metrics.brackets import knockout_at_k, recorded_wins
from tts.metrics.curves import Subsets, best_of_at_k, curve, maj_at_k, pass_at_k, weighted_maj_at_k
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.grading import Graded
from tts.metrics.origins import Kind, origins_of, shown_order, written
from tts.metrics.pairs import Pair, compare_pairs
from tts.vocabulary.clusters import Clusters
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


class Rescue(NamedTuple):
    """Shares of groups, by whether a strategy and its baseline are right; they add up to 1."""

    both: Estimate
    rescued: Estimate
    harmed: Estimate
    neither: Estimate


class Origin(NamedTuple):
    """Outputs of one origin: their share of all outputs, and how often they are right (`None` where there are none)."""

    share: Estimate
    accuracy: Estimate | None


class _Set(NamedTuple):
    """All graded candidates of one problem; scores are NaN where there is none."""

    problem: str
    text: str
    candidates: list[Candidate]
    correct: list[bool]
    scores: list[float]


class Analysis(Accuracies):
    """The questions; `Comparison` answers them from its rows."""

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

    @cached_property
    def _curves(self) -> dict[str, Curve]:
        sets = list(self._sets())
        if any(stopped(row, self.k) for row in self.rows):
            return {}
        n = min((len(one.candidates) for one in sets), default=0)
        usable = [score for one in sets for c, score in zip(one.candidates, one.scores, strict=True) if c.ok]
        voting = [score for one in sets for c, score in zip(one.candidates, one.scores, strict=True) if _votes(c)]
        kinds = ["pass@k", "maj@k"] if n else []
        kinds += ["BoN@k"] if usable and not any(map(math.isnan, usable)) else []
        kinds += ["weighted maj@k"] if voting and not any(map(math.isnan, voting)) else []
        found = {kind: _curve_of(sets, kind, n, self._labels) for kind in kinds}
        knockout = self._knockout_curve() if found else None
        return found if knockout is None else {**found, "knockout@k": knockout}

    def _knockout_curve(self) -> Curve | None:
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
            return Curve(curve([row.outcome.problem.digest for row in rows], mean), _drawn_error(error))
        return None

    def unbiased(self, strategy: str) -> Estimate | None:
        """The curve that estimates what a strategy does, at k: over all subsets, where the table has the groups of k.

        For strategies that declare a curve (`Strategy.curve`); `None` for any other, and where it is not to be had.
        """
        self._check(strategy)
        name = self.curve_names[strategy]
        single = name == "pass@1"
        found = self._curves.get("pass@k" if single else name or "")
        return found.points.get(1 if single else self.k) if found else None

    def pairs(self) -> list[Pair]:
        """A paired test of every two strategies on the groups that both decided; see `tts.eval.Pair`.

        Empty without gold answers. Strategies that failed on every group are left out.
        """
        return list(self._pairs)

    @cached_property
    def _pairs(self) -> list[Pair]:
        rows = [row for row in self.rows if row.decisions is not None]
        tested = [label for label in self.strategies if label not in self.undecided]
        shares = {label: [_share_of(row, label) for row in rows] for label in tested}
        return compare_pairs([row.outcome.problem.digest for row in rows], shares, k=self.k)

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
        both, rescued, harmed, neither = (list[tuple[str, float]]() for _ in range(4))
        for row in self.rows:
            ours = share_correct(row, strategy)
            theirs = float(any(present(row))) if baseline is None else share_correct(row, baseline)
            if ours is None or theirs is None:
                continue
            shares = (ours * theirs, ours * (1 - theirs), (1 - ours) * theirs, (1 - ours) * (1 - theirs))
            for cell, share in zip((both, rescued, harmed, neither), shares, strict=True):
                cell.append((row.outcome.problem.digest, share))
        means = [clustered_mean(cell, (0.0, 1.0)) for cell in (both, rescued, harmed, neither)]
        return None if None in means else Rescue(*means)  # type: ignore[arg-type]  # none of them is None

    def origins(self, strategy: str) -> dict[Kind, Origin]:
        """Where the outputs of a strategy come from, and how often each kind is right.

        copied: a candidate's response, chosen or repeated word for word; merged: another text with an answer that some
        candidate has; novel: an answer that no candidate of the group has; none: no answer. Answers are compared as
        classes of equal ones. Failed results are left out; accuracies are there where gold answers are.
        """
        self._check(strategy)
        outputs = list(self._outputs(strategy))
        if not outputs:
            return {}
        origins: dict[Kind, Origin] = {}
        for kind in ("copied", "merged", "novel", "none"):
            share = clustered_mean(((problem, float(own == kind)) for problem, own, _ in outputs), (0.0, 1.0))
            graded = [(problem, float(right)) for problem, own, right in outputs if own == kind and right is not None]
            assert share is not None
            origins[kind] = Origin(share, clustered_mean(graded, (0.0, 1.0)))
        return origins

    def _analysis(self) -> dict[str, Any]:
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
            "baseline": self.baseline,
            "curves": {name: one.to_dict() for name, one in self.curves().items()},
            "pairs": [one._asdict() | {"difference": one.difference.to_dict()} for one in self.pairs()],
            "rescue": rescues,
            "origins": {
                label: {
                    kind: {"share": one.share.to_dict(), "accuracy": one.accuracy.to_dict() if one.accuracy else None}
                    for kind, one in self.origins(label).items()
                }
                for label in self.strategies
            },
        }

    def _sets(self) -> Iterator[_Set]:
        """The groups of one problem and id put together again, without what is missing."""
        sets: dict[tuple[str, str], _Set] = {}
        for row in self.rows:
            there = [one for one in row.outcome.candidates if is_there(one)]
            if row.candidates is None or not there:
                continue
            outcome = row.outcome
            empty = _Set(outcome.problem.digest, outcome.problem.text, [], [], [])
            found = sets.setdefault(set_of(row), empty)
            found.candidates.extend(there)
            found.correct.extend(present(row))
            scores = outcome.scores or {}
            found.scores.extend(scores.get(c.index, math.nan) for c in there)
        return iter(sets.values())

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
        sets = [[c.answer if c.ok else None for c in one.candidates] for one in self._sets()]
        places = {
            (label, place): result
            for label in self.strategies
            for place, row in enumerate(self.rows)
            if written(result := row.outcome.results[label]) or shown_order(result)
        }
        answers = [[one.answer, *one.alternatives, *(c.answer for c in one.candidates)] for one in places.values()]
        problems = [one.text for one in self._sets()]
        problems += [self.rows[place].outcome.problem.text for _, place in places]
        found = cluster_lists([*sets, *answers], problems, self.answers_are)
        return found[: len(sets)], dict(zip(places, found[len(sets) :], strict=True))

    def _outputs(self, strategy: str) -> Iterator[tuple[str, Kind, bool | None]]:
        """Problem, origin and grade of every output of a strategy."""
        for row, kinds in zip(self.rows, self._kinds[strategy], strict=True):
            graded = row.decisions[strategy] if row.decisions is not None else [None] * len(kinds)
            yield from ((row.outcome.problem.digest, kind, right) for kind, right in zip(kinds, graded, strict=False))

    @cached_property
    def _kinds(self) -> dict[str, list[list[Kind]]]:
        """For each strategy and row the origin of each output, none for a failed result."""
        return {
            label: [
                origins_of(row.outcome.results[label], self._classes.get((label, place)))
                for place, row in enumerate(self.rows)
            ]
            for label in self.strategies
        }


def _curve_of(sets: Sequence[_Set], kind: str, n: int, labels: Sequence[Sequence[int]]) -> Curve:
    """One curve over sets of any size, cut at n; sets of one size are one array."""
    import numpy as np

    mean, error = np.zeros((len(sets), n)), np.zeros((len(sets), n))
    for size in {len(one.candidates) for one in sets}:
        places = [i for i, one in enumerate(sets) if len(one.candidates) == size]
        correct = np.array([sets[i].correct for i in places])
        scores = np.array([sets[i].scores for i in places])
        votes = np.array([labels[i] for i in places])
        found = _estimates(kind, correct, scores, votes)
        mean[places], error[places] = found.mean[:, :n], found.error[:, :n]
    points = curve([one.problem for one in sets], mean)
    return Curve(points, _drawn_error(error))


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


def _share_of(row: Graded, strategy: str) -> Fraction | None:
    if share_correct(row, strategy) is None or row.decisions is None:
        return None
    verdicts = row.decisions[strategy]
    return Fraction(sum(verdicts), len(verdicts))


def _votes(candidate: Candidate) -> bool:
    return candidate.ok and candidate.answer is not None
