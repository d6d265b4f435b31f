"""A cascade: a cheap strategy first, a dearer one only where the cheap one does not decide (arXiv 2310.03094)."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from pydantic import Field, field_validator

from tts import Card, Context, Decision, Strategy
from tts_strategies.gsr import GSR
from tts_strategies.majority import Majority


class Cascade(Strategy):
    """Ask `cheap`; where its confidence is not above `threshold`, let `dear` decide instead.

    By default a vote decides where more than half agree, and the policy refines where not. Where `cheap` has no
    confidence for once, `dear` decides. Each decides exactly as it would alone, so calls are shared with the same
    strategy beside it in a comparison. Yue et al. 2023 (arXiv 2310.03094) go from a cheap model to a dear one by the
    agreement of the cheap one's answers; here both read one set of candidates.

    Costs what `cheap` costs, and where that does not decide, what `dear` costs; `rates` tells how often that was.
    """

    name: ClassVar[str] = "cascade"
    tells_confidence: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="those of gsr (1 by the policy), only where no majority agrees",
        use="most of a dear strategy's gain at a part of its price",
        weakness="a confident wrong vote is never looked at again",
    )

    cheap: Strategy = Majority()
    """The strategy asked first, by name, or with parameters as `{"name": "majority", "ties": "seeded"}`; it must tell
    its confidence. By default a vote, whose agreement is what the paper goes by (arXiv 2310.03094).
    """

    dear: Strategy = GSR()
    """The strategy that decides where the cheap one is not confident; any strategy, by name or with parameters. By
    default the policy's own refinement (our choice: it needs no further model).
    """

    threshold: float = Field(0.5, ge=0, lt=1)
    """The confidence above which the cheap strategy's decision stands; at least 0 and below 1, 0.99 trusts only
    unanimous votes. By default more than half must agree (our choice).
    """

    @field_validator("cheap")
    @classmethod
    def _cheap_can_be_sure(cls, cheap: Strategy) -> Strategy:
        if not cheap.tells_confidence:
            raise ValueError(
                f"{cheap.name!r} tells no confidence, so it cannot be the cheap strategy; take one that does, such as "
                "'majority'"
            )
        return cheap

    @property
    def order_invariant(self) -> bool:  # type: ignore[override]  # here it hangs on the fields
        """As its strategies are; where more than half must agree, how a vote breaks ties does not matter."""
        cheap = self.cheap.order_invariant or (isinstance(self.cheap, Majority) and self.threshold >= 0.5)
        return cheap and self.dear.order_invariant

    async def aggregate(self, ctx: Context) -> Decision:
        """The decision of the strategy that decided."""
        first = await ctx.decide(self.cheap)
        settled = first.confidence is not None and first.confidence > self.threshold
        then = None if settled else await ctx.decide(self.dear)
        trace = {
            "cheap": {"strategy": self.cheap.name, "confidence": first.confidence, **first.trace},
            "dear": None if then is None else {"strategy": self.dear.name, **then.trace},
        }
        rates = {"passed on": (int(not settled), 1)} | _added(first, then)
        return (then or first).model_copy(update={"trace": trace, "rates": rates})


def _added(first: Decision, then: Decision | None) -> dict[str, tuple[int, int]]:
    times, of = Counter[str](), Counter[str]()
    for decision in (first, then):
        for name, (n, all_of_them) in decision.rates.items() if decision else ():
            times[name] += n
            of[name] += all_of_them
    return {name: (times[name], of[name]) for name in of}
