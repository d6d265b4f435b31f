"""GSR, Generative Self-Refinement (arXiv 2509.00084): the policy reads its own candidates and writes a new solution."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, field_validator

from tts import BackendError, Candidate, Context, Decision, Needs, Strategy
from tts.prompts import CANDIDATE_TOKENS, REFINE_FIELDS, Prompts, RefinePrompt, Template, read_template, refine_messages


class GSR(Strategy):
    """Refine all k candidates into a new solution, also when every one of them is wrong.

    The policy sees the candidates' summaries (what follows the think block) in random, seeded order. `candidate_tokens`
    is the budget per candidate; what short ones leave goes to long ones, and every cut is logged. A candidate whose
    think block was never closed has no summary and is left out; if that is so for all, the ends of their texts are
    shown instead. `outputs` > 1 draws several independent refinements: the first is the answer, the rest are
    `alternatives` (the paper averages four). `group_size` refines groups of that many first and then their results, for
    k that one prompt cannot hold. `skip_unanimous` returns the common answer unrefined. `template` is "refine" or the
    path of a Jinja file with the fields `problem` and `candidates`. Template and budget are by default those that the
    policy's checkpoint was trained with, else ours and 1,536 tokens (the paper's 6,144 for four).
    """

    name: ClassVar[str] = "gsr"
    needs: ClassVar[Needs] = Needs(policy=True)

    outputs: int = Field(1, ge=1)
    candidate_tokens: int | None = Field(None, ge=1)
    group_size: int | None = Field(None, ge=2)
    skip_unanimous: bool = False
    template: str | None = None

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str | None) -> str | None:
        if template is not None:
            Template.load(template, REFINE_FIELDS)
        return template

    def mismatches(self, trained: Prompts, k: int) -> list[str]:
        """A number of candidates in one prompt, a budget or a template that the policy was not trained on."""
        shown = min(k, self.group_size or k)
        found = []
        if shown != trained.k:
            found.append(f"gsr shows {shown} candidates and it was trained on {trained.k} (give k={trained.k})")
        if self.candidate_tokens not in (None, trained.candidate_tokens):
            found.append(
                f"candidate_tokens={self.candidate_tokens} and it was trained on {trained.candidate_tokens} "
                "(leave it out)"
            )
        if self.template and Template.load(self.template, REFINE_FIELDS).source != trained.refine_template:
            found.append(f"template={self.template!r} is not the one it was trained on (leave it out)")
        return found

    async def aggregate(self, ctx: Context) -> Decision:
        """The first refinement's summary; empty where the model never closed its think block."""
        found = await ctx.candidates()
        usable = list(found.usable)
        for candidate in found:
            if not candidate.ok:
                ctx.log(f"candidate {candidate.index}: left out: {candidate.error or 'empty'}")
        if self.skip_unanimous and (agreed := await self._unanimous(ctx, usable)) is not None:
            return agreed
        template, candidate_tokens = self._prompting(ctx)
        trace: dict[str, Any] = {"template": template.digest, "candidate_tokens": candidate_tokens, "prompts": []}
        while self.group_size is not None and len(usable) > self.group_size:
            usable = await self._refine_groups(ctx, usable, self.group_size, trace)
        outputs = await self._generate(ctx, await self._prompt(ctx, usable, trace), self.outputs)
        finished = [output for output in outputs if output.error is None]
        trace["unfinished"] = sum(output.summary is None for output in finished)
        texts = [output.summary or "" for output in finished]
        return Decision(text=texts[0], alternatives=tuple(texts[1:]), trace=trace)

    def _prompting(self, ctx: Context) -> tuple[Template, int]:
        """Template and budget: as given, else as the policy was trained, else ours."""
        trained = ctx.prompts
        budget = self.candidate_tokens or (trained.candidate_tokens if trained else CANDIDATE_TOKENS)
        if trained and self.template is None:
            return trained.refine, budget
        return read_template(self.template or "refine", REFINE_FIELDS), budget

    async def _unanimous(self, ctx: Context, usable: Sequence[Candidate]) -> Decision | None:
        clusters = await ctx.cluster([candidate.answer for candidate in usable])
        if set(clusters.labels) != {0}:
            return None
        return Decision(text=usable[0].text, chosen=usable[0].index, confidence=1.0, trace={"skipped": "unanimous"})

    async def _refine_groups(
        self, ctx: Context, candidates: list[Candidate], size: int, trace: dict[str, Any]
    ) -> list[Candidate]:
        """One refinement per group of `size`, in a seeded random partition: the next round's candidates."""
        ctx.rng.shuffle(candidates)
        prompts = [
            await self._prompt(ctx, candidates[start : start + size], trace)
            for start in range(0, len(candidates), size)
        ]
        outputs = await asyncio.gather(*(self._generate(ctx, prompt, 1) for prompt in prompts))
        refined = [output for group in outputs for output in group]
        return [candidate.model_copy(update={"index": index}) for index, candidate in enumerate(refined)]

    async def _prompt(self, ctx: Context, candidates: Sequence[Candidate], trace: dict[str, Any]) -> RefinePrompt:
        template, candidate_tokens = self._prompting(ctx)
        prompt = await refine_messages(
            ctx.problem,
            candidates,
            rng=ctx.rng,
            count_tokens=ctx.count_tokens,
            candidate_tokens=candidate_tokens,
            template=template,
        )
        cuts = [cut.model_dump() for cut in prompt.cuts]
        trace["prompts"].append({"order": list(prompt.order), "cuts": cuts})
        for cut in prompt.cuts:
            ctx.log(f"candidate {cut.index}: {cut.action} ({cut.tokens} tokens, {cut.kept} kept)", **cut.model_dump())
        return prompt

    async def _generate(self, ctx: Context, prompt: RefinePrompt, n: int) -> list[Candidate]:
        outputs = await ctx.generate(prompt.messages, n)
        if all(output.error is not None for output in outputs):
            raise BackendError(f"no refinement of problem {ctx.problem.id!r} succeeded: {outputs[0].error}")
        return outputs
