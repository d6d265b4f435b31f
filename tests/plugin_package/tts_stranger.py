"""A plugin as a stranger would publish it: one strategy, one task, one command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import tts


class Shortest(tts.Strategy):
    """The shortest response that has an answer. No paper."""

    name: ClassVar[str] = "shortest"
    order_invariant: ClassVar[bool] = False
    card: ClassVar[tts.Card | None] = tts.Card(calls="none", use="never", weakness="short is not right")

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        best = min(found.usable, key=lambda c: (c.answer is None, len(c.text), c.index))
        return tts.Decision(text=best.text, chosen=best.index)


class Doubling(tts.Task):
    """Doubles of whole numbers."""

    name: ClassVar[str] = "doubling"
    size: int = 10

    def examples(self) -> Iterator[tts.Example]:
        for i in range(self.size):
            yield tts.Example(problem=tts.Problem(id=f"d{i}", prompt=f"{i}+{i}"), answer=str(2 * i))


@tts.hookimpl
def tts_strategies() -> list[tts.Entry]:
    return [tts.Entry(name="shortest", target="tts_stranger:Shortest", summary="the shortest response")]


@tts.hookimpl
def tts_tasks() -> list[tts.Entry]:
    return [tts.Entry(name="doubling", target="tts_stranger:Doubling", summary="doubles of whole numbers")]


@tts.hookimpl
def tts_commands() -> list[tts.Entry]:
    return [tts.Entry(name="greet", target="tts_stranger_command:greet", summary="says hello")]
