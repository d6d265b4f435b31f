"""GSR, Generative Self-Refinement (arXiv 2509.00084): the policy writes a new solution from its own candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from tts import Candidate, Card, Context, Decision, Needs
from tts.prompts import shuffled
from tts_strategies._prompting import decided, nearly_equal, numbered, succeeded, usable
from tts_strategies._refining import Refining


class GSR(Refining):
    """Refine all k candidates into a new solution, also when every one of them is wrong.

    The policy sees the candidates' summaries (what follows the think block) in random, seeded order. A candidate whose
    think block was never closed has no summary and is left out; if that is so for all, the ends of their texts are
    shown instead. `rsa` is the recursive kin.

    Costs `outputs` calls; with groups one more for each group of each round: for k = 16 in fours, 5.
    """

    name: ClassVar[str] = "gsr"
    needs: ClassVar[Needs] = Needs(policy=True)
    writes: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="1 by the policy over all k",
        use="a policy trained to refine (`tts train hybrid`); can be right where every candidate is wrong",
        weakness="an untrained small policy refines worse than a vote",
        metric="selfRef@k",
    )

    outputs: int = Field(1, ge=1)
    """Independent refinements written from the one prompt: the first is the answer, the rest are `alternatives`. By
    default one; the paper's tables average four (arXiv 2509.00084).
    """

    group_size: int | None = Field(None, ge=2)
    """The most candidates that one prompt shows: they are refined in groups of nearly equal size, and then their
    results. By default all are in one prompt, as in the paper; set it for k that one prompt cannot hold.
    """

    skip_unanimous: bool = False
    """Return the common answer unrefined where all candidates have equal answers. By default they are refined all the
    same, as in the paper.
    """

    def shown(self, k: int) -> int:
        """All k, or a group of them."""
        return min(k, self.group_size or k)

    def advice(self, trained: int, k: int) -> str:
        """`group_size` where it decides, else k."""
        if k > trained:
            return f"group_size={trained}" if self.shown(k) < k else f"k={trained} or group_size={trained}"
        return f"k={trained}" if self.shown(k) == k else f"k={trained} without group_size"

    async def aggregate(self, ctx: Context) -> Decision:
        """The first refinement's summary; empty where the model never closed its think block."""
        shown = await usable(ctx)
        if self.skip_unanimous and (agreed := await self._unanimous(ctx, shown)) is not None:
            return agreed
        trace: dict[str, Any] = {}
        while self.group_size is not None and len(shown) > self.group_size:
            shown = await self._refine_groups(ctx, shown, self.group_size, trace)
        prompt = await self.prompt(ctx, shown, trace)
        outputs = await ctx.generate(prompt.messages, self.outputs, final=True)
        return decided(succeeded(outputs, "refinement", ctx), trace)

    async def _unanimous(self, ctx: Context, shown: Sequence[Candidate]) -> Decision | None:
        clusters = await ctx.cluster([candidate.answer for candidate in shown])
        if set(clusters.labels) != {0}:
            return None
        return Decision(text=shown[0].text, chosen=shown[0].index, confidence=1.0, trace={"skipped": "unanimous"})

    async def _refine_groups(
        self, ctx: Context, candidates: Sequence[Candidate], size: int, trace: dict[str, Any]
    ) -> list[Candidate]:
        """One refinement per group, in a seeded random partition: the next round's candidates."""
        groups = nearly_equal(shuffled(candidates, ctx.rng), size)
        prompts = [await self.prompt(ctx, group, trace) for group in groups]
        outputs = await asyncio.gather(*(ctx.generate(prompt.messages) for prompt in prompts))
        return numbered(succeeded([output for group in outputs for output in group], "refinement", ctx))
