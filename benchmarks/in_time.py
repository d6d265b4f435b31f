"""How long a vote takes where three equal answers are there after 0.05 s and a straggler after 4 s; see docs/models.md.

python benchmarks/in_time.py
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

import tts

QUICK, STRAGGLER = 0.05, 4.0


class Straggling:
    """Three completions after 0.05 s, the fourth after 4 s."""

    Options = tts.NoOptions
    fingerprint = "straggling"
    capabilities = tts.Capabilities(seed=True)

    def __init__(self) -> None:
        self.cancelled = 0

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        left = request.n
        try:
            await asyncio.sleep(QUICK)
            for index in range(request.n):
                if index == 3:
                    await asyncio.sleep(STRAGGLER - QUICK)
                left -= 1
                text = "\\boxed{7}"
                yield tts.Completion(index=index, text=text, summary=text, usage=tts.Usage(calls=1, answer_tokens=5))
        finally:
            self.cancelled += left
            for _ in range(left):
                request.on_cancelled(tts.Usage(calls=1, answer_tokens=1))

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def aclose(self) -> None:
        pass


async def main() -> None:
    model = Straggling()
    ways = {
        "all are waited for": (tts.strategy("majority"), {}),
        "decided early": (tts.strategy("majority", decided_early=True), {}),
        "quorum of 3, grace of 0.05 s": (tts.strategy("majority"), {"quorum": 3, "grace": 0.05}),
        "deadline of 1 s": (tts.strategy("majority"), {"deadline": 1.0}),
    }
    for name, (strategy, limits) in ways.items():
        async with tts.Engine(model=model, **limits) as engine:
            await engine.solve("Warm up?", "first", 4)
            started, before = time.perf_counter(), model.cancelled
            result = await engine.solve("Three plus four?", strategy, 4)
            seconds = time.perf_counter() - started
        assert result.answer == "7"
        print(f"{name:30} {seconds:6.3f} s, {model.cancelled - before} cancelled")


asyncio.run(main())
