"""AggLM: the policy writes the final solution from a review of its candidates (arXiv 2509.06870)."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field

from tts import Card, Context, Decision, Needs
from tts.prompts import neutralised
from tts_strategies._prompting import Listing, decided, drawn, succeeded

_MARKERS = re.compile(r"\[\s*(?:End\s+of\s+)?(?:Problem|Attempt(?:\s+\d+)?)\s*\]", re.IGNORECASE)


class AggLM(Listing):
    """Let the policy write a final solution that corrects, completes and combines the candidates' summaries.

    The paper trains the policy for it by reinforcement learning, on sets of eight; a policy that was not is only
    prompted. All candidates are in one prompt, in random, seeded order.
    """

    name: ClassVar[str] = "agglm"
    needs: ClassVar[Needs] = Needs(policy=True)
    writes: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="1 by the policy over all k",
        use="a policy trained to aggregate, or a strong reasoning model as it is",
        weakness="an untrained policy mostly copies the majority; k is bounded by the context",
    )

    template: str = "agglm"
    """The prompt: "agglm" (ours), or the path of a Jinja file with the fields `problem` and `candidates`."""

    outputs: int = Field(1, ge=1)
    """Independent solutions written from the one prompt: the first is the answer, the rest are `alternatives`. By
    default one (our choice).
    """

    def neutralise(self, text: str) -> str:
        """Without brackets around the prompt's markers."""
        return neutralised(text, _MARKERS)

    async def aggregate(self, ctx: Context) -> Decision:
        """The first solution's summary; empty where the model never closed its think block."""
        prompt = await self.listed(ctx, await drawn(ctx))
        outputs = await ctx.generate(prompt.messages, self.outputs, final=True)
        return decided(succeeded(outputs, "aggregation", ctx), prompt.traced)
