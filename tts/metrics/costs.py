"""What answers cost: tokens by role or kind, the frontier of accuracy against tokens, lengths of outputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from tts.metrics.accuracies import Accuracies, counted
from tts.metrics.estimate import Estimate, clustered_mean
from tts.vocabulary.outcome_class import is_missing, is_there, was_cut
from tts.vocabulary.records import Candidate, Result, Usage


class Point(NamedTuple):
    """A strategy's accuracy against its mean tokens per group; `best` where no other is as good for less.

    One dominates another that has no fewer generated tokens, no fewer prompt tokens and no higher accuracy, and is
    worse in one of them.
    """

    strategy: str
    accuracy: float
    generated: float
    prompt: float
    best: bool = True

    def dominates(self, other: Point) -> bool:
        """Whether nobody need take the other."""
        no_worse = self.generated <= other.generated and self.prompt <= other.prompt and self.accuracy >= other.accuracy
        return no_worse and self[1:4] != other[1:4]


class Lengths(NamedTuple):
    """Generated tokens of a direct response and of one output that a strategy wrote (arXiv 2509.00084, Table 4).

    `reduction` is 1 − written / direct: how much shorter it is, negative where it is longer. `thinking` and `answer`
    are the parts of both, direct first.
    """

    direct: Estimate
    written: Estimate
    thinking: tuple[float, float]
    answer: tuple[float, float]

    @property
    def reduction(self) -> float | None:
        """`None` where direct responses have no tokens."""
        return 1 - self.written.mean / self.direct.mean if self.direct.mean else None


class Costs(Accuracies):
    """The questions of cost; `Comparison` answers them from its rows."""

    def costs(self, strategy: str) -> dict[str, Usage]:
        """Calls and tokens of a strategy by role, over all groups, as if it had run alone."""
        self._check(strategy)
        return dict(self._costs[strategy])

    @cached_property
    def _costs(self) -> dict[str, dict[str, Usage]]:
        found: dict[str, dict[str, list[Usage]]] = {label: defaultdict(list) for label in self.strategies}
        for row in self.rows:
            for label, by_role in found.items():
                for role, usage in row.outcome.results[label].usage.items():
                    by_role[role].append(usage)
        return {
            label: {role: Usage.total(several) for role, several in by_role.items()} for label, by_role in found.items()
        }

    def usage(self, strategy: str) -> Usage:
        """Calls and tokens of a strategy over all groups and roles, as if it had run alone."""
        self._check(strategy)
        return sum(self.costs(strategy).values(), Usage())

    def frontier(self) -> list[Point]:
        """Every strategy's accuracy against what it costs, the cheapest first; empty without gold answers.

        Empty, too, where tokens of candidates are not known: what only some of a cost is known of is not cheap.
        """
        points: list[Point] = []
        if not self.usage_known:
            return points
        for strategy in self.strategies:
            accuracy, usage = self.accuracy(strategy), sum(self.costs(strategy).values(), Usage())
            if accuracy is not None:
                groups = len(self.rows)
                points.append(
                    Point(strategy, accuracy.mean, usage.generated_tokens / groups, usage.prompt_tokens / groups)
                )
        marked = [one._replace(best=not any(other.dominates(one) for other in points)) for one in points]
        return sorted(marked, key=lambda one: (one.generated, one.prompt, -one.accuracy))

    @cached_property
    def usage_known(self) -> bool:
        """Whether tokens of candidates are known: a file without counts has none, which is not 0."""
        there = [c for row in self.rows for c in row.outcome.candidates if is_there(c) and c.text.strip()]
        return bool(there) and all(c.usage.generated_tokens for c in there)

    def lengths(self, strategy: str) -> Lengths | None:
        """Tokens of an output that the strategy wrote beside those of a candidate.

        `None` where it writes nothing, and where what candidates cost is not known.

        What it wrote is all that it generated beyond the candidates, over its outputs; several rounds count together.
        """
        self._check(strategy)
        written = [
            (row.outcome.problem.digest, own, 1 + len(result.alternatives))
            for row in self.rows
            if (result := row.outcome.results[strategy]).decision is not None and any(own := _own(result))
        ]
        outputs = clustered_mean((problem, sum(own) / many) for problem, own, many in written)
        direct, parts = self._direct
        if outputs is None or direct is None or not self.usage_known:
            return None
        thinking, answer = (sum(own[kind] / many for _, own, many in written) / len(written) for kind in (0, 1))
        return Lengths(direct, outputs, (parts[0], thinking), (parts[1], answer))

    @cached_property
    def _direct(self) -> tuple[Estimate | None, tuple[float, float]]:
        """Generated tokens of a candidate, and how many of them are thinking and answer."""
        usages = [(problem, c.usage.thinking_tokens, c.usage.answer_tokens) for problem, c in self._candidates()]
        many = max(len(usages), 1)
        parts = sum(thinking for _, thinking, _ in usages) / many, sum(answer for *_, answer in usages) / many
        return clustered_mean((problem, float(thinking + answer)) for problem, thinking, answer in usages), parts

    def summary_share(self) -> Estimate | None:
        """Share of the visible summary in a candidate's output (arXiv 2509.00084, Figure 8); `None` without thinking.

        In tokens where they are known, else in characters; of candidates that closed their think block.
        """
        return clustered_mean(
            ((problem, _summary_share(c)) for problem, c in self._candidates() if c.thinking and c.summary is not None),
            (0.0, 1.0),
        )

    def response_rates(self) -> dict[str, Estimate]:
        """How many candidates are truncated, answerless, refused or failed, as shares of all.

        truncated: cut at the token limit, or a think block that was never closed; answerless: sampled, but without an
        answer that can be extracted, truncated ones included; refused: the model or a content filter declined; failed:
        another error came instead.
        """
        kinds: dict[str, Callable[[Candidate], bool]] = {
            "truncated": was_cut,
            "answerless": lambda c: c.error is None and c.answer is None,
            "refused": lambda c: c.error is not None and c.finish_reason == "refused",
            "failed": lambda c: c.error is not None and c.finish_reason != "refused",
        }
        shares = {
            name: clustered_mean(((problem, float(holds(c))) for problem, c in self._candidates()), (0.0, 1.0))
            for name, holds in kinds.items()
        }
        return {name: share for name, share in shares.items() if share is not None}

    def answerless(self, strategy: str) -> Estimate | None:
        """Share of a strategy's outputs without an answer, of those that are there."""
        self._check(strategy)
        outputs = (
            (row.outcome.problem.digest, float(answer is None))
            for row in self.rows
            if not is_missing(row.outcome.results[strategy])
            for answer in _answers(row.outcome.results[strategy])
        )
        return clustered_mean(outputs, (0.0, 1.0))

    def _cost_summary(self) -> dict[str, Any]:
        """The part of `to_dict` that this module answers for; tokens that came from a cache are a matter of the run."""
        share, lengths = self.summary_share(), {label: self.lengths(label) for label in self.strategies}
        return {
            "costs": {
                label: {role: usage.model_dump() for role, usage in self.costs(label).items()}
                for label in self.strategies
            },
            "frontier": [point._asdict() for point in self.frontier()],
            "lengths": {
                label: {
                    "direct": one.direct.to_dict(),
                    "written": one.written.to_dict(),
                    "reduction": one.reduction,
                    "thinking": list(one.thinking),
                    "answer": list(one.answer),
                }
                for label, one in lengths.items()
                if one is not None
            },
            "summary_share": None if share is None else share.to_dict(),
            "responses": {name: rate.to_dict() for name, rate in self.response_rates().items()},
            "answerless": {
                label: rate.to_dict() for label in self.strategies if (rate := self.answerless(label)) is not None
            },
        }

    def _candidates(self) -> Iterator[tuple[str, Candidate]]:
        return ((row.outcome.problem.digest, c) for row in self.rows for c in counted(row))


def _own(result: Result) -> tuple[int, int]:
    """Thinking and answer tokens that a strategy generated beyond the candidates that it received."""
    usages = [one for role, one in result.usage.items() if role in ("policy", "synthesizer")]
    received = [candidate.usage for candidate in result.candidates]
    thinking = sum(one.thinking_tokens for one in usages) - sum(one.thinking_tokens for one in received)
    answer = sum(one.answer_tokens for one in usages) - sum(one.answer_tokens for one in received)
    return max(thinking, 0), max(answer, 0)


def _answers(result: Result) -> Sequence[str | None]:
    return (result.answer, *result.alternatives)


def _summary_share(candidate: Candidate) -> float:
    usage = candidate.usage
    if usage.thinking_tokens and usage.answer_tokens:
        return usage.answer_tokens / usage.generated_tokens
    return len(candidate.summary or "") / max(len(candidate.text), 1)
