"""AggLM: the policy reviews its candidates, reconciles them and writes the final solution (arXiv 2509.06870)."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, field_validator

from tts import Card, Context, Decision, Message, Needs, Strategy
from tts.prompts import CANDIDATE_TOKENS, neutralised
from tts_strategies._prompting import LIST_FIELDS, decided, drawn, show, succeeded, template_of, traced

_MARKERS = re.compile(r"\[\s*(?:End\s+of\s+)?(?:Problem|Attempt(?:\s+\d+)?)\s*\]", re.IGNORECASE)


class AggLM(Strategy):
    """Let the policy write a final solution that corrects, completes and combines the candidates' summaries.

    The paper trains the policy for it by reinforcement learning, on sets of eight; a policy that was not is only
    prompted. All candidates are in one prompt, in random, seeded order. `outputs` > 1 draws several independent
    solutions: the first is the answer, the rest are `alternatives`. `candidate_tokens` as in `gsr`; `template` is
    "agglm" or the path of a Jinja file with the fields `problem` and `candidates`.
    """

    name: ClassVar[str] = "agglm"
    needs: ClassVar[Needs] = Needs(policy=True)
    card: ClassVar[Card | None] = Card(
        calls="1 by the policy over all k",
        use="a policy trained to aggregate, or a strong reasoning model as it is",
        weakness="an untrained policy mostly copies the majority; k is bounded by the context",
    )

    outputs: int = Field(1, ge=1)
    candidate_tokens: int = Field(CANDIDATE_TOKENS, ge=1)
    template: str = "agglm"

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        template_of(template, LIST_FIELDS)
        return template

    async def aggregate(self, ctx: Context) -> Decision:
        """The first solution's summary; empty where the model never closed its think block."""
        template = template_of(self.template, LIST_FIELDS)
        shown = await show(ctx, await drawn(ctx), self.candidate_tokens, _neutralised)
        prompt = template.render(problem=ctx.problem.text, candidates=shown.texts)
        outputs = await ctx.generate([Message(role="user", content=prompt)], self.outputs)
        trace = {"template": template.digest, **traced(shown)}
        return decided(succeeded(outputs, "aggregation", ctx), trace)


def _neutralised(text: str) -> str:
    return neutralised(text, _MARKERS)
