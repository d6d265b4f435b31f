"""The baseline that aggregates nothing. No paper: it is what pass@1 measures."""

from __future__ import annotations

from typing import ClassVar, Literal

from tts import Card, Context, Decision, NoCandidatesError, Strategy


class First(Strategy):
    """The first candidate, whatever the others say: its expected accuracy is pass@1.

    Costs one candidate. A failed or empty first candidate is passed over.
    """

    name: ClassVar[str] = "first"
    order_invariant: ClassVar[bool] = False
    card: ClassVar[Card | None] = Card(
        calls="none; 1 candidate instead of k",
        use="the baseline: what one response is worth",
        weakness="nothing is gained from the other candidates",
        metric="one candidate",
    )

    def curve(self) -> Literal["pass@1"]:
        """That of a single candidate."""
        return "pass@1"

    async def aggregate(self, ctx: Context) -> Decision:
        """The usable candidate of lowest index."""
        async with ctx.sample(1, final=True) as arriving:
            async for candidate in arriving:
                if candidate.ok:
                    return Decision(text=candidate.text, chosen=candidate.index)
        if ctx.k == 1:
            raise NoCandidatesError(f"the only candidate of problem {ctx.problem.id!r} failed or is empty")
        candidate = (await ctx.candidates()).usable[0]
        return Decision(text=candidate.text, chosen=candidate.index)
