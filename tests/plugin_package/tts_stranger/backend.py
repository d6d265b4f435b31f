"""A backend: no model, but all that one must hold."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Sequence

import tts

_WORDS = ("so", "then", "hence", "first", "next", "thus", "add", "carry", "check", "note", "recall", "observe")
_SUM = re.compile(r"(\d+)\s*\+\s*(\d+)")


class Options(tts.NoOptions):
    """`parrot:NAME@wrong=0.5`: how often a sampled sum is wrong."""

    wrong: float = 0.25


class Parrot:
    """Writes random words and then the sum that it was asked for. A token is a word."""

    Options = Options
    capabilities = tts.Capabilities(seed=True, exact_token_counts=True)

    def __init__(self, model: str, options: Options) -> None:
        self.fingerprint = f"parrot:{model}:{options.wrong}"
        self._wrong = options.wrong
        self._closed = False

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        if self._closed:
            raise tts.BackendUnavailable("the parrot is closed; make another")
        if len(request.seeds) != request.n:
            raise tts.ConfigError(f"{request.n} completions and {len(request.seeds)} seeds; give one for each")
        writing = [asyncio.ensure_future(self._write(request, index)) for index in range(request.n)]
        left = request.n
        try:
            for done in asyncio.as_completed(writing):
                completion = await done
                left -= 1
                yield completion
        finally:
            for one in writing:
                one.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
            for _ in range(left):
                request.on_cancelled(tts.Usage(calls=1, prompt_tokens=_prompt_tokens(request), cancelled=1))

    async def _write(self, request: tts.Request, index: int) -> tts.Completion:
        sampling = request.sampling
        seed = request.seeds[index] if sampling.temperature else "greedy"
        rng = random.Random(f"{seed} {request.messages}")
        words = [*rng.choices(_WORDS, k=rng.randint(8, 40)), f"\\boxed{{{self._sum(request, rng)}}}"]
        text, finish_reason, count = "", "stop", 0
        for word in words:
            await asyncio.sleep(0)
            if count == (sampling.max_tokens or len(words)):
                finish_reason = "length"
                break
            text, count = f"{text} {word}" if text else word, count + 1
            if found := [text.index(stop) for stop in sampling.stop if stop in text]:
                text = text[: min(found)]
                break
        thinking, summary = tts.split_thinking(text)
        usage = tts.Usage(calls=1, prompt_tokens=_prompt_tokens(request), answer_tokens=count)
        return tts.Completion(
            index=index, text=text, thinking=thinking, summary=summary, finish_reason=finish_reason, usage=usage
        )

    def _sum(self, request: tts.Request, rng: random.Random) -> int:
        found = _SUM.search(request.messages[-1].content)
        right = int(found[1]) + int(found[2]) if found else 0
        return right + (request.sampling.temperature > 0 and rng.random() < self._wrong)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def aclose(self) -> None:
        self._closed = True


def _prompt_tokens(request: tts.Request) -> int:
    return sum(len(message.content.split()) for message in request.messages)
