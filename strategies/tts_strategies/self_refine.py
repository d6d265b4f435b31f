"""Self-Refine: the policy rewrites one response by its own criticism, round after round (arXiv 2303.17651)."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import Field, field_validator

from tts import Candidate, Card, Context, Decision, Needs, Strategy
from tts.prompts import CANDIDATE_TOKENS, in_conversation, neutralised, visible
from tts_strategies._prompting import drawn, show, succeeded, template_of

FEEDBACK_FIELDS = frozenset({"problem", "response", "stop"})
REWRITE_FIELDS = frozenset({"problem", "response", "feedback"})
_MARKERS = re.compile(r"\[\s*(?:End\s+of\s+)?(?:Problem|Response|Feedback)\s*\]", re.IGNORECASE)


class SelfRefine(Strategy):
    """Improve one candidate in up to `rounds` rounds of feedback and rewriting, all by the policy, one after the other.

    The candidate is drawn by seed and by its text from those that closed their think block: a plain sample, as in the
    paper. The others are charged and not used, so k = 1 is what the method costs by itself. A round's feedback ends the
    loop where its visible text contains the words of `stop`; else the response is rewritten. Feedback or rewriting
    without visible text is asked for again, once; then the response stays as it is.
    """

    name: ClassVar[str] = "self_refine"
    needs: ClassVar[Needs] = Needs(policy=True)
    writes: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="up to 8 by the policy, one after the other: 4 rounds of feedback and rewriting",
        use="the sequential baseline; feedback that a model can give, as on style, code or constraints",
        weakness="models seldom find their own mistakes in reasoning; slow, as no call can wait beside another",
    )

    rounds: int = Field(4, ge=1)
    """The most rounds of feedback and rewriting, two calls each, one after the other. By default the paper's four
    (arXiv 2303.17651).
    """

    stop: str = "it is correct"
    """The words, in any case, at which visible feedback ends the loop; at least two characters. By default those of the
    authors' code for arithmetic.
    """

    candidate_tokens: int = Field(CANDIDATE_TOKENS, ge=1)
    """Budget for response and for feedback in a prompt, each in tokens as the policy counts them; what is over loses
    its beginning. By default that of `gsr`, 6,144 for four (arXiv 2509.00084).
    """

    feedback_template: str = "self_refine_feedback"
    """The prompt for feedback: "self_refine_feedback" (ours), or the path of a Jinja file with the fields `problem`,
    `response` and `stop`.
    """

    rewrite_template: str = "self_refine_rewrite"
    """The prompt for rewriting: "self_refine_rewrite" (ours), or the path of a Jinja file with the fields `problem`,
    `response` and `feedback`.
    """

    @field_validator("stop")
    @classmethod
    def _stop_can_be_read(cls, stop: str) -> str:
        if len(stop.strip()) < 2:
            raise ValueError("give the words that end the loop, at least two characters")
        return stop

    @field_validator("feedback_template")
    @classmethod
    def _feedback_template_is_readable(cls, template: str) -> str:
        template_of(template, FEEDBACK_FIELDS)
        return template

    @field_validator("rewrite_template")
    @classmethod
    def _rewrite_template_is_readable(cls, template: str) -> str:
        template_of(template, REWRITE_FIELDS)
        return template

    async def aggregate(self, ctx: Context) -> Decision:
        """The last response; the candidate itself where nothing was rewritten."""
        usable = await drawn(ctx)
        start = next((candidate for candidate in usable if (candidate.summary or "").strip()), usable[0])
        response: Candidate | None = None
        trace: dict[str, Any] = {"start": start.index, "rounds": [], "ended": "rounds", "calls": 0, "invalid": 0}
        for _ in range(self.rounds):
            current = response or start
            feedback = await self._ask(ctx, self.feedback_template, {"response": current}, trace)
            if feedback is None:
                trace["ended"] = "no feedback"
                break
            trace["rounds"].append({"feedback": feedback.summary})
            if self._words().search(feedback.summary or ""):
                trace["ended"] = "stop"
                break
            rewritten = await self._ask(ctx, self.rewrite_template, {"response": current, "feedback": feedback}, trace)
            if rewritten is None:
                trace["ended"] = "no rewriting"
                break
            trace["rounds"][-1]["response"] = rewritten.summary
            response = rewritten
        rates = {"invalid outputs": (trace["invalid"], trace["calls"])}
        if response is None:
            return Decision(text=start.text, chosen=start.index, trace=trace, rates=rates)
        return Decision(text=response.summary or "", trace=trace, rates=rates)

    async def _ask(
        self, ctx: Context, source: str, parts: dict[str, Candidate], trace: dict[str, Any]
    ) -> Candidate | None:
        """The first of two draws that has a visible text."""
        values = await self._shown(ctx, parts)
        if "feedback" in parts:
            prompt = template_of(source, REWRITE_FIELDS).render(problem=ctx.problem.text, **values)
        else:
            prompt = template_of(source, FEEDBACK_FIELDS).render(problem=ctx.problem.text, stop=self.stop, **values)
        for draw in (1, 2):
            outputs = await ctx.generate(in_conversation(ctx.problem, prompt), draw, formatted="feedback" in parts)
            (output,) = succeeded(outputs[-1:], "self-refinement", ctx)
            trace["calls"] += 1
            if (output.summary or "").strip():
                return output
            trace["invalid"] += 1
        return None

    async def _shown(self, ctx: Context, parts: dict[str, Candidate]) -> dict[str, str]:
        """The visible texts, within their budget; every cut is logged."""
        whole = [
            candidate.model_copy(update={"index": place, "summary": visible(candidate)})
            for place, candidate in enumerate(parts.values())
        ]
        shown = await show(ctx, whole, self.candidate_tokens, self._neutralised, list(parts))
        return dict(zip(parts, shown.texts, strict=True))

    def _words(self) -> re.Pattern[str]:
        return re.compile(r"\s+".join(map(re.escape, self.stop.split())), re.IGNORECASE)

    def _neutralised(self, text: str) -> str:
        """Feedback that quotes a response must not end the loop: hyphens break the words of `stop` up."""
        return neutralised(self._words().sub(_hyphenated, text), _MARKERS)


def _hyphenated(found: re.Match[str]) -> str:
    words = found.group().split()
    return "-".join(words) if len(words) > 1 else f"{words[0][0]}-{words[0][1:]}"
