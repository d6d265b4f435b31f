"""A strategy."""

from __future__ import annotations

from typing import ClassVar

import tts


class Shortest(tts.Strategy):
    """The shortest response that has an answer. No paper."""

    name: ClassVar[str] = "shortest"
    card: ClassVar[tts.Card | None] = tts.Card(calls="none", use="never", weakness="short is not right")

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        best = min(found.usable, key=lambda c: (c.answer is None, len(c.text), c.text))
        return tts.Decision(text=best.text, chosen=best.index)
