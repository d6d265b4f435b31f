"""The CoT-based Synthesizer: another model writes the answer from all candidates (arXiv 2501.01668)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, field_validator

from tts import Candidate, Card, Context, Decision, Needs, Strategy
from tts.prompts import SYNTHESIZE_FIELDS, read_template, shuffled, synthesize_messages
from tts_strategies._prompting import decided, nearly_equal, numbered, show, succeeded, usable


class Synthesizing(Strategy):
    """Base of strategies in which the synthesizer writes from the summaries of candidates."""

    outputs: int = Field(1, ge=1)
    """Independent answers written from the last prompt: the first is the answer, the rest are `alternatives`. By
    default one; the tables of arXiv 2509.00084 average four.
    """

    candidate_tokens: int = Field(1280, ge=1)
    """Budget for the summary of each candidate, in tokens as the policy counts them, or estimated where there is no
    policy. What short summaries leave goes to long ones; one over its share loses its beginning. By default 1,280: five
    of them, the problem and 1,024 new tokens fit the 8,192 of the Synthesizer's paper (arXiv 2501.01668).
    """

    template: str = "synthesize"
    """The prompt: "synthesize" (ours), or the path of a Jinja file with the fields `problem` and `candidates`."""

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        read_template(template, SYNTHESIZE_FIELDS)
        return template

    async def write(
        self, ctx: Context, candidates: Sequence[Candidate], n: int, trace: dict[str, Any], *, final: bool = False
    ) -> list[Candidate]:
        """`n` syntheses of these candidates, `final` where they are the last; those that failed carry `error`."""
        shown = await show(ctx, candidates, self.candidate_tokens, neutralise=str)  # the prompt's builder does that
        named = {candidate.index: candidate for candidate in candidates}
        cut = [named[i].model_copy(update={"summary": text}) for i, text in zip(shown.order, shown.texts, strict=True)]
        prompt = synthesize_messages(ctx.problem, cut, rng=ctx.rng, template=self.template)
        cuts = [one.model_dump() for one in shown.cuts]
        trace.setdefault("template", read_template(self.template, SYNTHESIZE_FIELDS).digest)
        trace.setdefault("prompts", []).append({"order": list(prompt.order), "cuts": cuts})
        return await ctx.synthesize(prompt.messages, n, final=final)


class Synthesizer(Synthesizing):
    """Let an external model write a solution from the problem and the candidates' summaries.

    The candidates come in random, seeded order; one that never closed its think block is left out, unless that is so
    for all.

    Costs `outputs` calls, and one more for each group of each round: for k = 16, 6.
    """

    name: ClassVar[str] = "synthesizer"
    needs: ClassVar[Needs] = Needs(synthesizer=True)
    writes: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="1 by the synthesizer over 5, and 1 for each group where k > 5",
        use="a second model that is better, or trained (`tts train synthesizer`), above a cheap policy",
        weakness="no better than that model; it follows a plausible majority",
    )

    group_size: int | None = Field(5, ge=2)
    """The most candidates that one prompt shows; more are synthesized in groups of nearly equal size first, and then
    their results. `none` puts all into one prompt. By default the paper's five (arXiv 2501.01668).
    """

    async def aggregate(self, ctx: Context) -> Decision:
        """The first synthesis's summary; empty where the model never closed its think block."""
        shown = await usable(ctx)
        trace: dict[str, Any] = {}
        while self.group_size is not None and len(shown) > self.group_size:
            shown = await self._groups(ctx, shown, self.group_size, trace)
        outputs = await self.write(ctx, shown, self.outputs, trace, final=True)
        return decided(succeeded(outputs, "synthesis", ctx), trace)

    async def _groups(
        self, ctx: Context, candidates: Sequence[Candidate], size: int, trace: dict[str, Any]
    ) -> list[Candidate]:
        """One synthesis per group, in a seeded random partition: what the next prompt shows."""
        groups = nearly_equal(shuffled(candidates, ctx.rng), size)
        written = await asyncio.gather(*(self.write(ctx, group, 1, trace) for group in groups))
        return numbered(succeeded([one for outputs in written for one in outputs], "synthesis", ctx))
