"""Best-of-N: the response that a reward model scores highest (Cobbe et al. 2021, arXiv 2110.14168)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from tts import Card, Context, Decision, Needs, Strategy


class BestOfN(Strategy):
    """Take the candidate of the highest reward; equal rewards go to the lowest index.

    Costs k scores. The answers do not count, only the rewards: one response that fools the reward model wins against
    any majority. Confidence is the softmax of the rewards at the winner.
    """

    name: ClassVar[str] = "best_of_n"
    needs: ClassVar[Needs] = Needs(scorer=True)
    order_invariant: ClassVar[bool] = False
    tells_confidence: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="k by the scorer",
        use="a reward model that knows the domain; answers that cannot be compared",
        weakness="one response that fools the reward model wins, the more surely the larger k is",
        metric="BoN@k",
    )

    def curve(self) -> Literal["BoN@k"]:
        """Best-of-N's own."""
        return "BoN@k"

    async def aggregate(self, ctx: Context) -> Decision:
        """The first of the best."""
        usable = (await ctx.candidates()).usable
        values = [score.value for score in await ctx.score(usable)]
        best = max(values)
        chosen = usable[values.index(best)]
        return Decision(
            text=chosen.text,
            chosen=chosen.index,
            confidence=1 / math.fsum(math.exp(value - best) for value in values),
            trace={
                "scores": [[one.index, value] for one, value in zip(usable, values, strict=True)],
                "tied": values.count(best) > 1,
            },
        )
