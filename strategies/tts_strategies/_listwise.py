"""Selection from a numbered list: one prompt shows candidates 0, 1, 2 …, the policy's verdict names one of them."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from tts import Candidate, Context, Needs
from tts_strategies._prompting import Listing, succeeded


class Pick(NamedTuple):
    """The candidate selected, and how: `said` in the trace has the verdicts, `None` for each that could not be read."""

    chosen: Candidate
    trace: dict[str, Any]


class Selecting(Listing):
    """Base of strategies in which the policy names one candidate of a numbered list."""

    needs: ClassVar[Needs] = Needs(policy=True)

    @abc.abstractmethod
    def read(self, said: str) -> int | None:
        """The number that a visible text names as its verdict."""

    async def pick(self, ctx: Context, candidates: Sequence[Candidate]) -> Pick:
        """Let the policy select from the candidates, shown in the order given.

        A verdict that cannot be read, or names no candidate shown, is asked for once more: the next draw of the same
        prompt. After that the candidates vote. A list of one is not asked about.
        """
        prompt = await self.listed(ctx, candidates)
        by_index = {candidate.index: candidate for candidate in candidates}
        listed = [by_index[index] for index in prompt.shown.order]
        if len(listed) == 1:
            return Pick(listed[0], {**prompt.traced, "said": [], "by": "only one"})
        said: list[int | None] = []
        for draw in (1, 2):
            outputs = await ctx.generate(prompt.messages, draw, formatted=False)
            (output,) = succeeded(outputs[-1:], "selection", ctx)
            number = self.read(output.summary or "")
            if number is not None and number < len(listed):
                return Pick(listed[number], {**prompt.traced, "said": [*said, number], "by": "verdict"})
            said.append(None)
        return Pick(await vote(ctx, listed), {**prompt.traced, "said": said, "by": "vote"})


async def vote(ctx: Context, candidates: Sequence[Candidate]) -> Candidate:
    """The first member of the largest class of equal answers; the first of all where nobody has an answer.

    Of classes of one size the one that comes first wins, so a seeded order makes a seeded choice.
    """
    labels = (await ctx.cluster([candidate.answer for candidate in candidates])).labels
    sizes = Counter(label for label in labels if label is not None)
    largest = max(sizes.values(), default=0)
    members = (c for c, label in zip(candidates, labels, strict=True) if label is not None and sizes[label] == largest)
    return next(members, candidates[0])


class Counts(NamedTuple):
    """Verdicts asked for and how many of them were invalid; lists asked about and on how many the candidates voted."""

    verdicts: int
    invalid: int
    lists: int
    fallbacks: int

    @classmethod
    def of(cls, picks: Sequence[Pick]) -> Counts:
        """The sums over some picks."""
        said = [verdict for one in picks for verdict in one.trace["said"]]
        how = [one.trace["by"] for one in picks if one.trace["by"] != "only one"]
        return cls(len(said), said.count(None), len(how), how.count("vote"))

    @property
    def rates(self) -> dict[str, tuple[int, int]]:
        """As `tts.Decision` has them."""
        return {"invalid verdicts": (self.invalid, self.verdicts), "votes instead": (self.fallbacks, self.lists)}
