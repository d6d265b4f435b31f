"""Mixture-of-Agents: an aggregator writes one answer from the responses of several models (arXiv 2406.04692)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from tts import Candidate, Card, Context, Decision, Needs
from tts.prompts import neutralised
from tts_strategies._prompting import Listing, decided, drawn, succeeded

_MARKERS = re.compile(r"\[\s*(?:End\s+of\s+)?(?:Query|Response(?:\s+\d+)?)\s*\]", re.IGNORECASE)


class MoA(Listing):
    """Let the synthesizer aggregate the candidates' summaries, in `layers`, into one answer.

    The candidates are the proposers' layer; `tts.join_candidates` makes one set of what several models said. Each layer
    but the last writes as many responses as there are usable candidates, all from one prompt over the responses of the
    layer before (the paper has a different model write each; here the aggregator writes all, as in its single-proposer
    setting), the last writes the answer. The candidates come in random, seeded order and without their models' names.
    """

    name: ClassVar[str] = "moa"
    needs: ClassVar[Needs] = Needs(synthesizer=True)
    writes: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="1 by the synthesizer over all k, and k for each further layer",
        use="candidates of several models, which fail in different ways",
        weakness="no better than its aggregator; weak proposers pull a strong one down",
    )

    template: str = "moa"
    """The prompt: "moa" (ours), or the path of a Jinja file with the fields `problem` and `candidates`."""

    layers: int = Field(1, ge=1)
    """How many times responses are aggregated after the candidates, which are the proposers' layer. By default once,
    the least (our choice: each further layer costs k calls); the paper's three layers are `layers=2` (arXiv
    2406.04692).
    """

    outputs: int = Field(1, ge=1)
    """Independent answers written by the last layer: the first counts, the rest are `alternatives`. By default one
    (our choice).
    """

    def neutralise(self, text: str) -> str:
        """Without brackets around the prompt's markers."""
        return neutralised(text, _MARKERS)

    async def aggregate(self, ctx: Context) -> Decision:
        """The last layer's first answer; empty where the model never closed its think block."""
        responses = await drawn(ctx)
        width = len(responses)
        trace: dict[str, Any] = {"layers": []}
        for _ in range(self.layers - 1):
            responses = await self._layer(ctx, responses, width, trace)
        return decided(await self._layer(ctx, responses, self.outputs, trace, final=True), trace)

    async def _layer(
        self, ctx: Context, responses: Sequence[Candidate], n: int, trace: dict[str, Any], *, final: bool = False
    ) -> list[Candidate]:
        prompt = await self.listed(ctx, responses)
        trace["layers"].append(prompt.traced)
        return succeeded(await ctx.synthesize(prompt.messages, n, final=final), "aggregation", ctx)
