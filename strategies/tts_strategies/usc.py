"""Universal Self-Consistency: the policy names the response most consistent with the rest (arXiv 2311.17311)."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, field_validator

from tts import Card, Context, Decision, Needs, Strategy
from tts.prompts import CANDIDATE_TOKENS, neutralised
from tts_strategies._listwise import Counts, ListFormat, pick
from tts_strategies._prompting import LIST_FIELDS, drawn, template_of

_RESPONSE = re.compile(r"(response)[\s*_#\[(]*(\d+)", re.IGNORECASE)
_VERDICT = re.compile(r"most\s+consistent\s+response\s+is[\s:*_\"“]*response[\s*_#\[(]*([0-9]+)", re.IGNORECASE)


class USC(Strategy):
    """Show all candidates' summaries, numbered from 0, and take the one that the policy finds most consistent.

    A vote for answers that cannot be compared: code, prose, proofs. The verdict is the last sentence `The most
    consistent response is Response N`, or, without such a sentence, the only `Response N` that the visible text names.
    One that cannot be read is asked for again, once; then the candidates vote (the largest class of equal answers, by
    seeded draw where several are, or where nobody has an answer), and the trace counts it. The candidates come in
    random, seeded order, within `candidate_tokens` each as in `gsr`. `template` is "usc" or the path of a Jinja file
    with the fields `problem` and `candidates`.
    """

    name: ClassVar[str] = "usc"
    needs: ClassVar[Needs] = Needs(policy=True)
    card: ClassVar[Card | None] = Card(
        calls="1 by the policy over all k; 2 where the verdict cannot be read",
        use="free-form answers, for which no vote can be counted",
        weakness="follows the majority into its mistakes; long lists lose the model",
    )

    candidate_tokens: int = Field(CANDIDATE_TOKENS, ge=1)
    template: str = "usc"

    @field_validator("template")
    @classmethod
    def _template_is_readable(cls, template: str) -> str:
        template_of(template, LIST_FIELDS)
        return template

    async def aggregate(self, ctx: Context) -> Decision:
        """The candidate named."""
        template = template_of(self.template, LIST_FIELDS)
        picked = await pick(ctx, await drawn(ctx), ListFormat(template, self.candidate_tokens, _neutralised, _read))
        counts = Counts.of([picked])
        trace = {"template": template.digest, **picked.trace, **counts._asdict()}
        return Decision(text=picked.chosen.text, chosen=picked.chosen.index, trace=trace, rates=counts.rates)


def _neutralised(text: str) -> str:
    """`Response 3` becomes `Response no. 3`: neither a heading nor a verdict."""
    return _RESPONSE.sub(r"\1 no. \2", neutralised(text))


def _read(said: str) -> int | None:
    if sentences := _VERDICT.findall(said):
        return int(sentences[-1])
    named = {int(number) for _, number in _RESPONSE.findall(said)}
    return named.pop() if len(named) == 1 else None
