"""What counts as correct: the gold answer or, without one, the candidates' majority or a reward model's favourite.

Labels other than gold are as noisy as what they come from; the paper names that as the limit of its data.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

import tts
from tts import CandidateSet, Context, Decision, Engine, Needs, Sampled, Strategy
from tts.answers import Answers, expected
from tts.eval import grade_answers
from tts_trainers.data.recipe import LabelSection


class Labelled(NamedTuple):
    """A candidate set with what counts as its answer (`None`: nothing does), and which candidates have it."""

    candidates: CandidateSet
    label: str | None
    correct: tuple[bool, ...]


class Labeller:
    """Labels candidate sets; an async context manager. `engine` is asked for the reward model's scores."""

    def __init__(self, section: LabelSection, engine: Engine) -> None:
        self._section, self._engine = section, engine
        self._grader = tts.grader(section.grader)
        self._answers = Answers()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._answers.aclose()
        await self._grader.aclose()

    async def label(self, sets: Sequence[Sampled]) -> list[Labelled]:
        """The sets with their labels, in order."""
        if self._section.kind == "majority":
            labels = [await self._majority(one.candidates) for one in sets]
        elif self._section.kind == "reward-model":
            labels = await self._favourites(sets)
        else:
            labels = [one.answer for one in sets]
        return await self.grade([Sampled(one.candidates, label) for one, label in zip(sets, labels, strict=True)])

    async def grade(self, sets: Sequence[Sampled]) -> list[Labelled]:
        """Which candidates have the answer that stands beside each set; one that was cut short has none."""
        pairs = [(one.answer or "", c.answer if _whole(c) else None) for one in sets for c in one.candidates]
        problems = [one.candidates.problem.text for one in sets for _ in one.candidates]
        verdicts = iter(await grade_answers(self._grader, pairs, problems))
        flags = [tuple(next(verdicts) for _ in one.candidates) for one in sets]
        return [
            Labelled(one.candidates, one.answer, correct if one.answer is not None else (False,) * len(correct))
            for one, correct in zip(sets, flags, strict=True)
        ]

    async def _majority(self, candidates: CandidateSet) -> str | None:
        clusters = await self._answers.cluster([c.answer for c in candidates], expected(candidates.problem.text))
        largest = max(clusters.sizes, default=0)
        if not largest or clusters.sizes.count(largest) > 1 or largest < self._section.minimum_share * len(candidates):
            return None
        return clusters.representatives[clusters.sizes.index(largest)]

    async def _favourites(self, sets: Sequence[Sampled]) -> list[str | None]:
        found: dict[str, str | None] = {}
        usable = [(one, len(one.candidates)) for one in sets if one.candidates.usable]
        for size in sorted({size for _, size in usable}):
            alike = [one for one, count in usable if count == size]
            async with aclosing(self._engine.compare(alike, [_Favourite()], k=size)) as outcomes:
                async for outcome in outcomes:
                    for error in outcome.errors.values():
                        raise error
                    found[outcome.problem.id] = next(iter(outcome.results.values())).answer
        return [found.get(one.candidates.problem.id) for one in sets]


def _whole(candidate: tts.Candidate) -> bool:
    return candidate.ok and candidate.finish_reason != "length"


class _Favourite(Strategy):
    """The response that the reward model likes best; of equals the first."""

    name: ClassVar[str] = "train-data-favourite"
    needs: ClassVar[Needs] = Needs(scorer=True)

    async def aggregate(self, ctx: Context) -> Decision:
        """Score all that can be used, and choose."""
        usable = (await ctx.candidates()).usable
        scores = await ctx.score(usable)
        best = max(range(len(usable)), key=lambda i: (scores[i].value, -i))
        return Decision(text=usable[best].text, chosen=usable[best].index)
