"""Majority voting weighted by rewards (Li et al. 2022, arXiv 2206.02336; Wu et al. 2024, arXiv 2408.00724)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from tts import Card, Context, Decision, Needs, Strategy
from tts_strategies._votes import count_votes, nobody_votes


class WeightedMajority(Strategy):
    """The class of equivalent answers with the highest reward, all its members together.

    A sum of negative rewards counts against large classes; `softmax` avoids it, and `rates` tells on how many problems
    that was so. Equal classes go to the one whose first member came first. The response returned is the class's best.
    Candidates without an answer do not vote and are not scored; where nobody votes, the first usable candidate is
    returned with confidence 0. Confidence is the winner's share of the weight, where no weight is negative.
    """

    name: ClassVar[str] = "weighted_majority"
    needs: ClassVar[Needs] = Needs(scorer=True)
    order_invariant: ClassVar[bool] = False
    tells_confidence: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="1 by the scorer for each candidate with an answer",
        use="a vote with a reward model that is right more often than not",
        weakness="a class of many bad responses outweighs a good one; rewards of any sign need `softmax`",
    )

    reduce: Literal["sum", "mean", "max"] = "sum"
    """What the rewards of a class come to: their sum, mean or maximum; max is Best-of-N among candidates with an
    answer. By default the sum, as in the paper (arXiv 2206.02336).
    """

    softmax: bool = False
    """Turn the rewards of the problem's candidates into positive shares first, which rewards of any sign need, such as
    those of most reward models. By default they are taken as they are: the paper's verifier gives probabilities.
    """

    def curve(self) -> Literal["weighted maj@k"] | None:
        """That of summed rewards."""
        return "weighted maj@k" if self.reduce == "sum" and not self.softmax else None

    async def aggregate(self, ctx: Context) -> Decision:
        """The best-rewarded member of the heaviest class."""
        usable = (await ctx.candidates()).usable
        votes = await count_votes(ctx, usable)
        if not votes.voters:
            return nobody_votes(ctx, usable)
        scores = [score.value for score in await ctx.score(votes.voters)]
        rewards = _shares(scores) if self.softmax else scores
        members = votes.members()
        weights = [self._weight([rewards[i] for i in group]) for group in members]
        heaviest = max(weights)
        tied = [c for c, weight in enumerate(weights) if math.isclose(weight, heaviest, rel_tol=1e-9)]
        chosen = votes.voters[max(members[tied[0]], key=lambda i: (scores[i], -i))]
        negative = {"negative rewards summed (softmax=true avoids it)": (int(min(rewards) < 0), 1)}
        return Decision(
            text=chosen.text,
            chosen=chosen.index,
            confidence=_share(weights, tied[0]),
            rates=negative if self.reduce == "sum" and not self.softmax else {},
            trace={
                "votes": [[text, value] for text, value in zip(votes.answers, weights, strict=True)],
                "scores": [[one.index, value] for one, value in zip(votes.voters, scores, strict=True)],
                "tied": len(tied) > 1,
                **votes.doubts,
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
