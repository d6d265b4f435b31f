"""A policy without a model, and the command line with it: `python fake_backend.py run ...`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from pydantic import BaseModel

import tts


class Fake:
    class Options(BaseModel, extra="forbid"):
        seconds: float = 0.0
        fail: bool = False

    def __init__(self, model: str, options: Options) -> None:
        self.model, self.options = model, options
        self.fingerprint = f"fake:{model}"
        self.capabilities = tts.Capabilities(seed=True, concurrency=4)

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        for index in range(request.n):
            await asyncio.sleep(self.options.seconds)
            if self.options.fail:
                raise tts.BackendError("the fake fails as told")
            text = f"<think>hmm</think>It is \\boxed{{{self.model}}}."
            usage = tts.Usage(calls=1, prompt_tokens=5, thinking_tokens=2, answer_tokens=3)
            yield tts.Completion(index=index, text=text, thinking="hmm", summary=text[18:], usage=usage)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def aclose(self) -> None:
        pass


if __name__ == "__main__":
    from tts.cli import main

    tts.plugins().register("backend", "fake", Fake)
    main(prog_name="tts")
