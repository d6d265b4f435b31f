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
        streams: bool = False  # tells its words; the last one never, where it is stuck
        stuck: bool = False

    def __init__(self, model: str, options: Options) -> None:
        self.model, self.options = model, options
        self.fingerprint = f"fake:{model}"
        self.capabilities = tts.Capabilities(seed=True, concurrency=4, streams=options.streams)

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        for index in range(request.n):
            await asyncio.sleep(self.options.seconds)
            if self.options.fail:
                raise tts.BackendError("the fake fails as told")
            text = f"<think>hmm</think>It is \\boxed{{{self.model}}}."
            if request.on_text is not None:
                for word in text.split(" ")[: -1 if self.options.stuck else None]:
                    request.on_text(index, word if word.startswith("<think>") else f" {word}")
                    await asyncio.sleep(3600 if self.options.stuck and word == "is" else 0)
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
