"""Majority voting weighted by rewards (Li et al. 2022, arXiv 2206.02336; Wu et al. 2024, arXiv 2408.00724)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from tts import Context, Decision, Needs, Strategy


class WeightedMajority(Strategy):
    """The class of equivalent answers with the highest reward, all its members together.

    `reduce`: the sum, mean or maximum of the rewards of a class; max is Best-of-N among candidates with an answer.
    `softmax` turns the rewards of the problem's candidates into positive shares first. Without it a sum of negative
    rewards counts against large classes: use it for rewards that are not probabilities. Equal classes go to the one
    whose first member came first. The response returned is the class's best. Candidates without an answer do not vote
    and are not scored; where nobody votes, the first usable candidate is returned with confidence 0. Confidence is
    the winner's share of the weight, where no weight is negative.
    """

    name: ClassVar[str] = "weighted_majority"
    needs: ClassVar[Needs] = Needs(scorer=True)
    order_invariant: ClassVar[bool] = False

    reduce: Literal["sum", "mean", "max"] = "sum"
    softmax: bool = False

    async def aggregate(self, ctx: Context) -> Decision:
        """The best-rewarded member of the heaviest class."""
        usable = (await ctx.candidates()).usable
        voters = [candidate for candidate in usable if candidate.answer is not None]
        if not voters:
            ctx.log("no candidate has an answer; the first usable one is returned")
            return Decision(text=usable[0].text, chosen=usable[0].index, confidence=0.0, trace={"votes": []})
        clusters = await ctx.cluster([candidate.answer for candidate in voters])
        scores = [score.value for score in await ctx.score(voters)]
        votes = _shares(scores) if self.softmax else scores
        members = [
            [i for i, own in enumerate(clusters.labels) if own == c] for c in range(len(clusters.representatives))
        ]
        weights = [self._weight([votes[i] for i in group]) for group in members]
        heaviest = max(weights)
        tied = [c for c, weight in enumerate(weights) if math.isclose(weight, heaviest, rel_tol=1e-9)]
        chosen = voters[max(members[tied[0]], key=lambda i: (scores[i], -i))]
        return Decision(
            text=chosen.text,
            chosen=chosen.index,
            confidence=_share(weights, tied[0]),
            trace={
                "votes": [[text, value] for text, value in zip(clusters.representatives, weights, strict=True)],
                "scores": [[one.index, value] for one, value in zip(voters, scores, strict=True)],
                "tied": len(tied) > 1,
            },
        )

    def _weight(self, votes: Sequence[float]) -> float:
        if self.reduce == "max":
            return max(votes)
        return math.fsum(votes) / (len(votes) if self.reduce == "mean" else 1)


def _shares(scores: Sequence[float]) -> list[float]:
    best = max(scores)
    powers = [math.exp(score - best) for score in scores]
    return [power / math.fsum(powers) for power in powers]


def _share(weights: Sequence[float], winner: int) -> float | None:
    total = math.fsum(weights)
    return min(1.0, weights[winner] / total) if min(weights) >= 0 and total > 0 else None
