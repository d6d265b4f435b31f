"""A small deterministic backend, scorer and judge that actors import: what they say depends on prompt and seed alone.

Each completion that is begun is a line `pid context seed` in a log, so that a test sees who was asked for what.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

import tts


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    log: str = ""
    delay: float = 0.0
    room: int = 4
    poison: str = ""  # a problem whose requests kill the process that takes them up
    broken: bool = False
    dated: bool = False  # the model is a file, and part of the fingerprint


class Adder:
    """Solves `a+b`, wrongly for one seed in four; a refine prompt always rightly."""

    Options = Options

    def __init__(self, model: str, options: Options) -> None:
        if options.broken:
            raise tts.ConfigError("this model cannot be loaded; give another")
        self.name, self.options = f"adder:{model}", options
        self.fingerprint = f"adder:{model}"
        if options.dated:
            self.fingerprint += Path(model).read_text()
        self.capabilities = tts.Capabilities(seed=True, concurrency=options.room, context_length=1000)
        self.live = 0

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        if self.options.poison and request.context == self.options.poison:
            os._exit(1)
        if "too long" in request.messages[-1].content:
            raise tts.ContextLengthError(2000, 1000, self.name)
        if self.options.log:
            with Path(self.options.log).open("a") as file:
                file.writelines(f"{os.getpid()} {request.context} {seed}\n" for seed in request.seeds)
        left = list(range(request.n))
        try:
            while left:
                await asyncio.sleep(self.options.delay)
                index = left.pop(0)
                yield self._completion(request, index)
        finally:
            for _ in left:
                request.on_cancelled(tts.Usage(calls=1, prompt_tokens=10, answer_tokens=3, cancelled=1))

    def _completion(self, request: tts.Request, index: int) -> tts.Completion:
        prompt = request.messages[-1].content
        a, b = (int(part) for part in prompt.split("Problem:\n")[-1].split("\n")[0].split("+"))
        wrong = "Candidate Response" not in prompt and request.seeds[index] % 4 == 0
        text = f"So it is \\boxed{{{a + b + wrong}}}"
        usage = tts.Usage(calls=1, prompt_tokens=10, answer_tokens=len(text))
        return tts.Completion(index=index, text=text, summary=text, usage=usage)

    def outdated(self) -> bool:
        path = self.name.removeprefix("adder:")
        return self.options.dated and self.fingerprint != f"adder:{path}{Path(path).read_text()}"

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def aclose(self) -> None: ...


class Shorter:
    """The shorter, the better; of a pair, too."""

    Options = tts.NoOptions
    fingerprint = "shorter"

    def __init__(self, model: str, options: Any) -> None: ...

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
        return [tts.Score(value=-len(one.text), usage=tts.Usage(calls=1, prompt_tokens=5)) for one in responses]

    async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> tts.Verdict:
        return tts.Verdict(winner="a" if len(a.text) <= len(b.text) else "b", usage=tts.Usage(calls=1))

    async def aclose(self) -> None: ...
