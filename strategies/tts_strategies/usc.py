"""Universal Self-Consistency: the policy names the response most consistent with the rest (arXiv 2311.17311)."""

from __future__ import annotations

import re
from typing import ClassVar

from tts import Card, Context, Decision
from tts.prompts import neutralised
from tts_strategies._listwise import Counts, Selecting
from tts_strategies._prompting import drawn

_RESPONSE = re.compile(r"(response)[\s*_#\[(]*(\d+)", re.IGNORECASE)
_VERDICT = re.compile(r"most\s+consistent\s+response\s+is[\s:*_\"“]*response[\s*_#\[(]*([0-9]+)", re.IGNORECASE)


class USC(Selecting):
    """Show all candidates' summaries, numbered from 0, and take the one that the policy finds most consistent.

    A vote for answers that cannot be compared: code, prose, proofs. The verdict is the last sentence `The most
    consistent response is Response N`, or, without such a sentence, the only `Response N` that the visible text names.
    One that cannot be read is asked for again, once; then the candidates vote (the largest class of equal answers, by
    seeded draw where several are, or where nobody has an answer), and the trace counts it. The candidates come in
    random, seeded order.
    """

    name: ClassVar[str] = "usc"
    card: ClassVar[Card | None] = Card(
        calls="1 by the policy over all k; 2 where the verdict cannot be read",
        use="free-form answers, for which no vote can be counted",
        weakness="follows the majority into its mistakes; long lists lose the model",
    )

    template: str = "usc"
    """The prompt: "usc" (ours), or the path of a Jinja file with the fields `problem` and `candidates`."""

    def neutralise(self, text: str) -> str:
        """`Response 3` becomes `Response no. 3`: neither a heading nor a verdict."""
        return _RESPONSE.sub(r"\1 no. \2", neutralised(text))

    def read(self, said: str) -> int | None:
        """Of the last sentence of that form, else of the only response named."""
        if sentences := _VERDICT.findall(said):
            return int(sentences[-1])
        named = {int(number) for _, number in _RESPONSE.findall(said)}
        return named.pop() if len(named) == 1 else None

    async def aggregate(self, ctx: Context) -> Decision:
        """The candidate named."""
        picked = await self.pick(ctx, await drawn(ctx))
        counts = Counts.of([picked])
        trace = {**picked.trace, **counts._asdict()}
        return Decision(text=picked.chosen.text, chosen=picked.chosen.index, trace=trace, rates=counts.rates)
