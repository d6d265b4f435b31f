"""Recursive Self-Aggregation: a population of solutions is refined from random subsets of itself (arXiv 2509.26626)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from tts import Candidate, Card, Context, Decision, Message, Needs
from tts.prompts import shuffled
from tts_strategies._prompting import numbered, succeeded, usable
from tts_strategies._refining import Refining
from tts_strategies._votes import count_votes


class RSA(Refining):
    """Refine `population` random subsets of `subset` solutions into the next population, `loops` times.

    The first population are the k candidates. Each solution of a later one is written by the policy from its own
    subset, through the refine prompt of `gsr`. Equal prompts of one problem are independent draws.

    Costs `loops` times `population` calls.
    """

    name: ClassVar[str] = "rsa"
    needs: ClassVar[Needs] = Needs(policy=True)
    writes: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="3k by the policy over 4 each (loops x population)",
        use="hard problems with compute to spare, and k beyond one prompt",
        weakness="dear; the population can agree on a wrong answer, and loops cannot run in parallel",
    )

    subset: int = Field(4, ge=1)
    """How many solutions of the population each prompt shows, drawn with the seed and without replacement. By default
    the paper's four (arXiv 2509.26626).
    """

    population: int | None = Field(None, ge=1)
    """How many solutions a population has after the first, which are the k candidates. By default as many as the first,
    as in the paper, whose k is 16.
    """

    loops: int = Field(3, ge=1)
    """How many times the population is refined; calls grow with it. By default three (our choice: a third of the
    paper's price); its ten steps count the sampling of the candidates, so that they are `loops=9`.
    """

    final: Literal["majority", "random"] = "majority"
    """What the last population comes to: a vote ("majority"), or one solution at random, the others being
    `alternatives` ("random"). By default the vote (our choice: it needs answers that can be compared).
    """

    @property
    def tells_confidence(self) -> bool:  # type: ignore[override]  # here it hangs on a field
        """A vote does."""
        return self.final == "majority"

    def shown(self, k: int) -> int:
        """A subset."""
        return min(self.subset, k)

    def advice(self, trained: int, k: int) -> str:
        """`subset`, and k where that is too small for it."""
        return f"subset={trained}" if trained <= k else f"k={trained} or more, subset={trained}"

    async def aggregate(self, ctx: Context) -> Decision:
        """The vote of the last population, or one of it."""
        members = await usable(ctx)
        size = self.population or len(members)
        drawn: Counter[tuple[Message, ...]] = Counter()
        trace: dict[str, Any] = {"answers": []}
        for _ in range(self.loops):
            members = await self._next(ctx, members, size, drawn, trace)
            trace["answers"].append([member.answer for member in members])
        trace["unfinished"] = sum(member.summary is None for member in members)
        return await self._final(ctx, members, trace)

    async def _next(
        self,
        ctx: Context,
        members: Sequence[Candidate],
        size: int,
        drawn: Counter[tuple[Message, ...]],
        trace: dict[str, Any],
    ) -> list[Candidate]:
        """The next population; `drawn` counts what each prompt was asked for, for the same prompt may come again."""
        pool = shuffled([member for member in members if member.ok] or members, ctx.rng)
        subsets = [ctx.rng.sample(pool, min(self.subset, len(pool))) for _ in range(size)]
        wanted = Counter([(await self.prompt(ctx, subset, trace)).messages for subset in subsets])

        async def write(messages: tuple[Message, ...], n: int) -> list[Candidate]:
            before = drawn[messages]
            drawn[messages] += n
            return (await ctx.generate(messages, before + n))[before:]

        outputs = await asyncio.gather(*(write(messages, n) for messages, n in wanted.items()))
        return numbered(succeeded([output for group in outputs for output in group], "refinement", ctx))

    async def _final(self, ctx: Context, members: Sequence[Candidate], trace: dict[str, Any]) -> Decision:
        if self.final == "random":
            texts = [member.summary or "" for member in shuffled(members, ctx.rng)]
            return Decision(text=texts[0], alternatives=tuple(texts[1:]), trace=trace)
        votes = await count_votes(ctx, members)
        if not votes.voters:
            return Decision(text=members[0].summary or "", confidence=0.0, trace=trace)
        largest = max(votes.members(), key=len)
        chosen = votes.voters[largest[0]]
        return Decision(text=chosen.summary or "", confidence=len(largest) / len(votes.voters), trace=trace)
