"""Mixture-of-Agents: an aggregator writes one answer from the responses of several models (arXiv 2406.04692)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, field_validator

from tts import Candidate, Card, Context, Decision, Message, Needs, Strategy
from tts.prompts import CANDIDATE_TOKENS, neutralised
from tts_strategies._prompting import LIST_FIELDS, decided, drawn, show, succeeded, template_of, traced

_MARKERS = re.compile(r"\[\s*(?:End\s+of\s+)?(?:Query|Response(?:\s+\d+)?)\s*\]", re.IGNORECASE)


class MoA(Strategy):
    """Let the synthesizer aggregate the candidates' summaries, in `layers`, into one answer.

    The candidates are the proposers' layer; `tts.join_candidates` makes one set of what several models said. Each layer
    but the last writes as many responses as there are usable candidates, all from one prompt over the responses of the
    layer before (the paper has a different model write each; here the aggregator writes all, as in its single-proposer
    setting), the last writes the answer: the paper's three layers are `layers=2`. `outputs` > 1 draws several
    independent answers: the first counts, the rest are `alternatives`. The candidates come in random, seeded order and
    without their models' names. `candidate_tokens` as in `gsr`, counted by the policy's tokenizer where there is a
    policy; `template` is "moa" or the path of a Jinja file with the fields `problem` and `candidates`.
    """

    name: ClassVar[str] = "moa"
    needs: ClassVar[Needs] = Needs(synthesizer=True)
    card: ClassVar[Card | None] = Card(
        calls="1 by the synthesizer over all k, and k for each further layer",
        use="candidates of several models, which fail in different ways",
        weakness="no better than its aggregator; weak proposers pull a strong one down",
    )

    layers: int = Field(1, ge=1)
    outputs: int = Field(1, ge=1)
    candidate_tokens: int = Field(CANDIDATE_TOKENS, ge=1)
    template: str = "moa"

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        template_of(template, LIST_FIELDS)
        return template

    async def aggregate(self, ctx: Context) -> Decision:
        """The last layer's first answer; empty where the model never closed its think block."""
        responses = await drawn(ctx)
        width = len(responses)
        trace: dict[str, Any] = {"template": template_of(self.template, LIST_FIELDS).digest, "layers": []}
        for _ in range(self.layers - 1):
            responses = await self._layer(ctx, responses, width, trace)
        return decided(await self._layer(ctx, responses, self.outputs, trace), trace)

    async def _layer(
        self, ctx: Context, responses: Sequence[Candidate], n: int, trace: dict[str, Any]
    ) -> list[Candidate]:
        shown = await show(ctx, responses, self.candidate_tokens, _neutralised)
        trace["layers"].append(traced(shown))
        template = template_of(self.template, LIST_FIELDS)
        prompt = template.render(problem=ctx.problem.text, candidates=shown.texts)
        outputs = await ctx.synthesize([Message(role="user", content=prompt)], n)
        return succeeded(outputs, "aggregation", ctx)


def _neutralised(text: str) -> str:
    return neutralised(text, _MARKERS)
