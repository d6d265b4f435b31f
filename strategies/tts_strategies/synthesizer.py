"""The CoT-based Synthesizer: another model reads all candidates and writes the answer (arXiv 2501.01668)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, field_validator

from tts import BackendError, Candidate, Context, Decision, Needs, Strategy
from tts.prompts import SYNTHESIZE_FIELDS, Template, shuffled, synthesize_messages


class Synthesizer(Strategy):
    """Let an external model write a solution from the problem and the candidates' summaries.

    The candidates come in random, seeded order; one that never closed its think block is left out, unless that is so
    for all. More than `group_size` of them are synthesized in groups of nearly equal size first, and then their
    results (the paper trains on five); `None` puts all into one prompt. `outputs` > 1 draws several independent
    syntheses: the first is the answer, the rest are `alternatives` (GSR's paper averages four). `template` is
    "synthesize" or the path of a Jinja file with the fields `problem` and `candidates`.
    """

    name: ClassVar[str] = "synthesizer"
    needs: ClassVar[Needs] = Needs(synthesizer=True)

    outputs: int = Field(1, ge=1)
    group_size: int | None = Field(5, ge=2)
    template: str = "synthesize"

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        if template != "synthesize":
            Template.load(template, SYNTHESIZE_FIELDS)
        return template

    async def aggregate(self, ctx: Context) -> Decision:
        """The first synthesis's summary; empty where the model never closed its think block."""
        found = await ctx.candidates()
        shown: list[Candidate] = list(found.usable)
        for candidate in found:
            if not candidate.ok:
                ctx.log(f"candidate {candidate.index}: left out: {candidate.error or 'empty'}")
        trace: dict[str, Any] = {"prompts": []}
        while self.group_size is not None and len(shown) > self.group_size:
            shown = await self._groups(ctx, shown, self.group_size, trace)
        outputs = await self._write(ctx, shown, self.outputs, trace)
        texts = [output.summary or "" for output in outputs]
        trace["unfinished"] = sum(output.summary is None for output in outputs)
        return Decision(text=texts[0], alternatives=tuple(texts[1:]), trace=trace)

    async def _groups(
        self, ctx: Context, candidates: list[Candidate], size: int, trace: dict[str, Any]
    ) -> list[Candidate]:
        """One synthesis per group, in a seeded random partition: what the next prompt shows."""
        drawn, count = shuffled(candidates, ctx.rng), -(-len(candidates) // size)
        written = await asyncio.gather(
            *(self._write(ctx, drawn[start::count], 1, trace) for start in range(count))
        )
        return [one.model_copy(update={"index": index}) for index, (one,) in enumerate(written)]

    async def _write(
        self, ctx: Context, candidates: Sequence[Candidate], n: int, trace: dict[str, Any]
    ) -> list[Candidate]:
        """The completions that succeeded; raises `BackendError` where none did."""
        prompt = synthesize_messages(ctx.problem, candidates, rng=ctx.rng, template=self.template)
        trace["prompts"].append({"order": list(prompt.order)})
        outputs = await ctx.synthesize(prompt.messages, n)
        written = [output for output in outputs if output.error is None]
        if not written:
            raise BackendError(f"no synthesis of problem {ctx.problem.id!r} succeeded: {outputs[0].error}")
        return written
