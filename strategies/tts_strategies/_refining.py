"""What strategies share in which the policy reads its own candidates: GSR's prompt, as the policy was trained on it."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

from pydantic import Field, field_validator

from tts import Candidate, Context, Strategy
from tts.prompts import CANDIDATE_TOKENS, REFINE_FIELDS, Prompts, RefinePrompt, Template, read_template, refine_messages
from tts_strategies._prompting import log_cuts


class Refining(Strategy):
    """Base of strategies that use the refine prompt of GSR (arXiv 2509.00084)."""

    candidate_tokens: int | None = Field(None, ge=1)
    """Budget for the summary of each candidate, in tokens as the policy counts them. What short summaries leave goes to
    long ones; one over its share loses its beginning, and the cut is logged. By default what the policy's checkpoint
    was trained with, else 1,536: 6,144 for four (arXiv 2509.00084).
    """

    template: str | None = None
    """The refine prompt: the path of a Jinja file with the fields `problem` and `candidates`. By default what the
    policy's checkpoint was trained with, else ours.
    """

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str | None) -> str | None:
        if template is not None:
            Template.load(template, REFINE_FIELDS)
        return template

    @abc.abstractmethod
    def shown(self, k: int) -> int:
        """How many of k candidates one prompt shows."""

    @abc.abstractmethod
    def advice(self, trained: int, k: int) -> str:
        """The parameters with which a prompt shows as many candidates as the policy was trained on."""

    def mismatches(self, trained: Prompts, k: int) -> list[str]:
        """A number of candidates in one prompt, a budget or a template that the policy was not trained on."""
        found = []
        if (shown := self.shown(k)) != trained.k:
            advice = self.advice(trained.k, k)
            found.append(f"{self.name} shows {shown} candidates and it was trained on {trained.k} (give {advice})")
        if self.candidate_tokens not in (None, trained.candidate_tokens):
            found.append(
                f"candidate_tokens={self.candidate_tokens} and it was trained on {trained.candidate_tokens} "
                "(leave it out)"
            )
        if self.template and Template.load(self.template, REFINE_FIELDS).source != trained.refine_template:
            found.append(f"template={self.template!r} is not the one it was trained on (leave it out)")
        return found

    def prompting(self, ctx: Context) -> tuple[Template, int]:
        """Template and budget: as given, else as the policy was trained, else ours."""
        trained = ctx.prompts
        budget = self.candidate_tokens or (trained.candidate_tokens if trained else CANDIDATE_TOKENS)
        if trained and self.template is None:
            return trained.refine, budget
        return read_template(self.template or "refine", REFINE_FIELDS), budget

    async def prompt(self, ctx: Context, candidates: Sequence[Candidate], trace: dict[str, Any]) -> RefinePrompt:
        """The refine prompt over these candidates, in seeded order; every cut is logged and traced."""
        template, candidate_tokens = self.prompting(ctx)
        prompt = await refine_messages(
            ctx.problem,
            candidates,
            rng=ctx.rng,
            count_tokens=ctx.count_tokens,
            candidate_tokens=candidate_tokens,
            template=template,
        )
        trace.setdefault("template", template.digest)
        trace.setdefault("candidate_tokens", candidate_tokens)
        cuts = [cut.model_dump() for cut in prompt.cuts]
        trace.setdefault("prompts", []).append({"order": list(prompt.order), "cuts": cuts})
        log_cuts(ctx, prompt.cuts)
        return prompt
