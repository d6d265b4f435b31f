"""Adaptive-Consistency: sample until the leading answer is sure to lead (Aggarwal et al. 2023, arXiv 2305.11860)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from tts import Candidate, Card, Context, Decision, NoCandidatesError, Strategy
from tts_strategies._votes import Votes, count_votes, nobody_votes


class AdaptiveConsistency(Strategy):
    """Vote as `majority` does, but stop sampling once the probability that the leading class leads passes `threshold`.

    That probability is the paper's Beta posterior over the two largest classes. It is looked at as if candidates came
    one by one; as many as it needs at the least to pass are asked for at once, which spares waiting and costs nothing.
    At 0.95 four equal answers suffice (31/32), so k should be well above four: the paper's is 40. Candidates without an
    answer do not vote. Where the threshold is never passed all k are used. Equal classes go to the one whose first
    member came first. Confidence is the posterior; `rates` tells how many candidates were never needed.

    Costs 1 to k candidates. What other strategies of a comparison ask for is sampled all the same, and charged to them.
    """

    name: ClassVar[str] = "adaptive_consistency"
    order_invariant: ClassVar[bool] = False
    tells_confidence: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="none; 1 to k candidates instead of k",
        use="majority voting with a large k, at a fraction of its candidates",
        weakness="stops as surely on a popular wrong answer; saves nothing below k = 5",
    )

    threshold: float = Field(0.95, gt=0.5, lt=1)
    """The probability that the leading class leads at which sampling stops; above 0.5 and below 1. By default the
    paper's (arXiv 2305.11860).
    """

    async def aggregate(self, ctx: Context) -> Decision:
        """The first member of the class that led when sampling stopped."""
        seen: list[Candidate] = []
        votes, posterior = Votes((), (), ()), 0.0
        while len(seen) < ctx.k and posterior < self.threshold:
            wanted = min(len(seen) + self._needed(votes), ctx.k)
            async with ctx.sample(wanted) as arriving:
                seen = sorted([candidate async for candidate in arriving], key=lambda candidate: candidate.index)
            votes = await count_votes(ctx, [candidate for candidate in seen if candidate.ok])
            posterior = lead_probability(*_two_largest(votes))
        return self._decision(ctx, seen, votes, posterior)

    def _needed(self, votes: Votes) -> int:
        """The fewest further candidates after which the posterior can pass: they all join the leaders."""
        first, second = _two_largest(votes)
        needed = 1
        while lead_probability(first + needed, second) < self.threshold:
            needed += 1
        return needed

    def _decision(self, ctx: Context, seen: Sequence[Candidate], votes: Votes, posterior: float) -> Decision:
        saved = {"candidates saved": (ctx.k - len(seen), ctx.k)}
        usable = [candidate for candidate in seen if candidate.ok]
        if not usable:
            reason = next((candidate.error for candidate in seen if candidate.error), "every response is empty")
            where = f"none of the {len(seen)} candidates of problem {ctx.problem.id!r}"
            raise NoCandidatesError(f"{where} can be used: {reason}")
        if not votes.voters:
            return nobody_votes(ctx, usable).model_copy(update={"rates": saved})
        sizes = [len(group) for group in votes.members()]
        chosen = votes.speaker(sizes.index(max(sizes)))
        counted = [[answer, size] for answer, size in zip(votes.answers, sizes, strict=True)]
        trace = {"votes": counted, "sampled": len(seen), "posterior": posterior}
        return Decision(text=chosen.text, chosen=chosen.index, confidence=posterior, trace=trace, rates=saved)


def lead_probability(first: int, second: int) -> float:
    """The probability that a class with `first` votes is likelier than one with `second`, other classes aside.

    The posterior of its share of the two is Beta(first + 1, second + 1) under a flat prior; this is its mass above one
    half, which for whole numbers is a binomial sum.
    """
    flips = first + second + 1
    return sum(math.comb(flips, heads) for heads in range(first + 1)) / (1 << flips)


def _two_largest(votes: Votes) -> tuple[int, int]:
    sizes = sorted((len(group) for group in votes.members()), reverse=True)
    first, second, *_ = [*sizes, 0, 0]
    return first, second
