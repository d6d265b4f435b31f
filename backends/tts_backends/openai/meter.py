"""What completions have cost at a server, those included that came to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tts import Usage
from tts_backends.openai.ask import Ask, Sent
from tts_backends.openai.counts import Counting, counts_first_only, estimate, uncounted
from tts_backends.openai.errors import Trouble
from tts_backends.openai.server import Remembered
from tts_backends.openai.wire import HELLO, Wire

Count = Callable[[str], Awaitable[int]]


class Meter:
    """How tokens are counted at one model's servers; `first_only` where they count one of several choices alone.

    `count` is their tokenizer, where they have one. `spent` is what was spent beside requests.
    """

    def __init__(self, wire: Wire, count: Count | None, *, first_only: bool, spent: Usage) -> None:
        self._wire, self._count = wire, count
        self.first_only = first_only
        self._spent = [spent]

    def aside(self, usage: Usage) -> None:
        """Take what was spent on something that is no request."""
        self._spent.append(usage)

    def take_aside(self, known: Remembered) -> Usage:
        """What was spent so since this was last asked, with what it took to see whether servers are there."""
        spent, self._spent = self._spent, []
        greeted, known.greeted = known.greeted, 0
        each = estimate(HELLO)
        seen = Usage(calls=greeted, prompt_tokens=each * greeted, estimated_tokens=each * greeted)
        return Usage.total([*spent, seen])

    async def counting(self, answer: dict[str, Any], ask: Ask, sent: Sent, n: int, seconds: float) -> Counting:
        """How the completions of an answer are counted, of so many at most; raises as `Wire.read` does."""
        usage = answer.get("usage")
        if not uncounted(usage):
            if n > 1 and not self.first_only:
                self.first_only = counts_first_only(usage, self._wire.written(answer, n), sent.most)
            return Counting(first_only=self.first_only, seconds=seconds)
        count: Callable[[str], int] = estimate
        if self._count is not None:
            texts = {ask.prompt, *(one.text for one in self._wire.written(answer, n))}
            counted = await asyncio.gather(*map(self._count, texts))
            count = dict(zip(texts, counted, strict=True)).__getitem__
        return Counting(count(ask.prompt), count, self.first_only, seconds)

    @staticmethod
    def in_vain(ask: Ask, index: int, trouble: Trouble) -> None:
        """Tell what an attempt has cost that brought nothing, where the server has worked for it."""
        written = ask.streams[index].tokens() if index in ask.streams else 0
        if written or trouble.in_vain:
            ask.cut_short(_unfinished(ask, written))

    @staticmethod
    def withdrawn(ask: Ask, index: int) -> None:
        """Tell what a completion has cost that nobody wants any more."""
        written = ask.streams[index].tokens() if index in ask.streams else 0
        ask.cut_short(_unfinished(ask, written) if index in ask.under_way else Usage(calls=1))


def _unfinished(ask: Ask, written: int) -> Usage:
    """Of a prompt that was sent: as long as another answer to it says, else as estimated."""
    prompt = ask.prompt_tokens or ask.estimated
    guessed = written + (0 if ask.prompt_tokens else prompt)
    return Usage(calls=1, prompt_tokens=prompt, answer_tokens=written, estimated_tokens=guessed)
