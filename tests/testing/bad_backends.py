"""Backends with one planted fault each, beside a good one: what the contract must catch."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import jinja2

import tts

CONTROL = "<|end|>"
_WORDS = ("so", "then", "hence", "first", "next", "thus", "add", "carry", "check", "note", "recall", "observe")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_FREE = 300  # tokens of a response that nothing cuts


class Good:
    """Writes random words; a token is a word or a sign. What goes beyond 60 tokens takes time."""

    capabilities = tts.Capabilities(
        seed=True, logprobs=True, exact_token_counts=True, context_length=1000, streams=True
    )

    def __init__(self) -> None:
        self.fingerprint = "good"
        self.live = 0
        self.closed = False

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        self.refuse(request)
        writing = [asyncio.ensure_future(self.write(request, index)) for index in range(request.n)]
        left = request.n
        try:
            for done in asyncio.as_completed(writing):
                completion = await done
                left -= 1
                yield completion
        finally:
            await self.end(request, writing, left)

    def refuse(self, request: tts.Request) -> None:
        if self.closed:
            raise tts.BackendUnavailable("it is closed")
        if len(request.seeds) != request.n:
            raise tts.ConfigError("give one seed for each completion")
        self.fit(request)

    def fit(self, request: tts.Request) -> None:
        if (tokens := self.tokens(self.prompt(request))) >= 1000:
            raise tts.ContextLengthError(tokens, 1000, "good")

    async def end(self, request: tts.Request, writing: list[asyncio.Future[Any]], left: int) -> None:
        for one in writing:
            one.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        for _ in range(left):
            request.on_cancelled(tts.Usage(calls=1, cancelled=1))

    async def write(self, request: tts.Request, index: int) -> tts.Completion:
        self.live += 1
        try:
            return self.finished(request, index, *await self.words(request, index))
        finally:
            self.live -= 1

    async def words(self, request: tts.Request, index: int) -> tuple[str, int]:
        rng, text, count = self.rng(request, index), "", 0
        while count < self.most(request) and not self.stopped(request, text):
            await asyncio.sleep(0 if count < 60 else 0.001)
            word = rng.choice(_WORDS)
            self.tell(request, index, f" {word}" if text else word)
            text, count = f"{text} {word}".strip(), count + 1
        return text, count

    def tell(self, request: tts.Request, index: int, piece: str) -> None:
        if request.on_text is not None and not request.sampling.stop:
            request.on_text(index, piece)

    def rng(self, request: tts.Request, index: int) -> random.Random:
        return random.Random(f"{request.seeds[index] if request.sampling.temperature else ''} {self.prompt(request)}")

    def most(self, request: tts.Request) -> int:
        return min(request.sampling.max_tokens or _FREE, 1000 - self.tokens(self.prompt(request)))

    def stopped(self, request: tts.Request, text: str) -> bool:
        return any(stop in text for stop in request.sampling.stop)

    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        stopped = self.stopped(request, text)
        for stop in request.sampling.stop:
            text = text.split(stop)[0]
        thinking, summary = tts.split_thinking(text)
        return tts.Completion(
            index=index,
            text=text,
            thinking=thinking,
            summary=summary,
            finish_reason="stop" if stopped or count == _FREE else "length",
            usage=self.usage(request, index, count),
            logprob=-0.5 * count if request.sampling.logprobs else None,
        )

    def usage(self, request: tts.Request, index: int, count: int) -> tts.Usage:
        return tts.Usage(calls=1, prompt_tokens=self.tokens(self.prompt(request)), answer_tokens=count)

    def prompt(self, request: tts.Request) -> str:
        return "\n".join(message.content for message in request.messages)

    def tokens(self, text: str) -> int:
        return len(_TOKEN.findall(text))

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [self.tokens(text) for text in texts]

    async def aclose(self) -> None:
        self.closed = True


class FromOne(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        return super().finished(request, index, text, count).model_copy(update={"index": index + 1})


class Silent(Good):
    async def words(self, request: tts.Request, index: int) -> tuple[str, int]:
        return "", self.most(request)


class TellsTwice(Good):
    def tell(self, request: tts.Request, index: int, piece: str) -> None:
        super().tell(request, index, 2 * piece)


class TellsNothing(Good):
    def tell(self, request: tts.Request, index: int, piece: str) -> None:
        pass


class TellsTheStop(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        if request.on_text is not None and request.sampling.stop:
            request.on_text(index, f"{text} and {request.sampling.stop[0]}")
        return super().finished(request, index, text, count)


class TellsOn(Good):
    async def end(self, request: tts.Request, writing: list[asyncio.Future[Any]], left: int) -> None:
        await super().end(request, writing, left)
        if left and request.on_text is not None:
            asyncio.get_running_loop().call_later(0.01, request.on_text, 0, " and more")


class NeverSplits(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        return super().finished(request, index, text, count).model_copy(update={"summary": None})


class Rewrites(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        return super().finished(request, index, text, count).model_copy(update={"summary": text.upper()})


class TakesTurns(Good):
    _turn: asyncio.Lock

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        self._turn = getattr(self, "_turn", None) or asyncio.Lock()
        async with self._turn:
            async for completion in super().generate(request):
                yield completion


class OneGenerator(Good):
    def __init__(self) -> None:
        super().__init__()
        self._rng = random.Random(0)

    def rng(self, request: tts.Request, index: int) -> random.Random:
        return self._rng if request.sampling.temperature else super().rng(request, index)


class IgnoresSeeds(Good):
    def rng(self, request: tts.Request, index: int) -> random.Random:
        return random.Random(self.prompt(request))


class SeedsTheRequest(Good):
    def rng(self, request: tts.Request, index: int) -> random.Random:
        return random.Random(f"{request.seeds[0]} {index} {self.prompt(request)}")


class PadsSeeds(Good):
    def refuse(self, request: tts.Request) -> None:
        self.fit(request)

    def rng(self, request: tts.Request, index: int) -> random.Random:
        return random.Random(request.seeds[index % len(request.seeds)])


class RaisesIndexError(PadsSeeds):
    rng = Good.rng


class IgnoresMaxTokens(Good):
    def most(self, request: tts.Request) -> int:
        return 40


class AlwaysStops(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        return super().finished(request, index, text, count).model_copy(update={"finish_reason": "stop"})


class BreaksOff(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        return super().finished(request, index, text, count).model_copy(update={"finish_reason": "error"})


class KeepsWhatWasBrokenOff(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        broken = {"finish_reason": "error", "error": "the server aborted it"}
        return super().finished(request, index, text, count).model_copy(update=broken)


class Empties(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        nothing = {"text": "", "thinking": None, "summary": "", "usage": self.usage(request, index, 0)}
        return super().finished(request, index, text, count).model_copy(update=nothing)


class IgnoresStops(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        plain = request.model_copy(update={"sampling": request.sampling.model_copy(update={"stop": ()})})
        return super().finished(plain, index, text, count)

    def stopped(self, request: tts.Request, text: str) -> bool:
        return False


class StopsForLength(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        return super().finished(request, index, text, count).model_copy(update={"finish_reason": "length"})


class CutsBeforeTheStop(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        found = super().finished(request, index, text, count)
        short = found.text[:-4] if request.sampling.stop else found.text
        return found.model_copy(update={"text": short, "summary": short})


class NoLogprobs(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        return super().finished(request, index, text, count).model_copy(update={"logprob": None})


class Probabilities(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        found = super().finished(request, index, text, count)
        return found.model_copy(update={"logprob": 0.6 if request.sampling.logprobs else None})


class AlwaysLogprobs(Good):
    def finished(self, request: tts.Request, index: int, text: str, count: int) -> tts.Completion:
        return super().finished(request, index, text, count).model_copy(update={"logprob": -1.0})


class CountsCallsOnce(Good):
    def usage(self, request: tts.Request, index: int, count: int) -> tts.Usage:
        return super().usage(request, index, count).model_copy(update={"calls": int(index == 0)})


class CachedBeside(Good):
    def usage(self, request: tts.Request, index: int, count: int) -> tts.Usage:
        full = super().usage(request, index, count)
        return full.model_copy(update={"prompt_tokens": 1, "cached_tokens": full.prompt_tokens - 1})


class CountsNothing(Good):
    def usage(self, request: tts.Request, index: int, count: int) -> tts.Usage:
        return super().usage(request, index, 0)


class PromptOnce(Good):
    def usage(self, request: tts.Request, index: int, count: int) -> tts.Usage:
        full = super().usage(request, index, count)
        return full if index == 0 else full.model_copy(update={"prompt_tokens": 0})


class SaysThirty(Good):
    def usage(self, request: tts.Request, index: int, count: int) -> tts.Usage:
        return super().usage(request, index, count).model_copy(update={"prompt_tokens": 30})


class CountsATemplate(Good):
    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [self.tokens(text) + 4 for text in texts]


class Estimates(Good):
    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 4 for text in texts]


class NeverReports(Good):
    async def end(self, request: tts.Request, writing: list[asyncio.Future[Any]], left: int) -> None:
        await super().end(request, writing, 0)


class ReportsAll(Good):
    async def end(self, request: tts.Request, writing: list[asyncio.Future[Any]], left: int) -> None:
        await super().end(request, writing, request.n)


class ReportsNoTokens(Good):
    async def end(self, request: tts.Request, writing: list[asyncio.Future[Any]], left: int) -> None:
        await super().end(request, writing, 0)
        for _ in range(left):
            request.on_cancelled(tts.Usage(calls=1))


class RunsOn(Good):
    async def end(self, request: tts.Request, writing: list[asyncio.Future[Any]], left: int) -> None:
        self.live += left
        await super().end(request, writing, left)


class LastPrompt(Good):
    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        self._said = "\n".join(message.content for message in request.messages)
        async for completion in super().generate(request):
            yield completion

    def prompt(self, request: tts.Request) -> str:
        return self._said

    async def words(self, request: tts.Request, index: int) -> tuple[str, int]:
        await asyncio.sleep(0)
        return await super().words(request, index)


class Renders(Good):
    def prompt(self, request: tts.Request) -> str:
        return jinja2.Template(super().prompt(request)).render()


class CountsAscii(Good):
    def tokens(self, text: str) -> int:
        return len(re.findall(r"[a-zA-Z0-9]{2,}", text))


class CutsPrompts(Good):
    def prompt(self, request: tts.Request) -> str:
        return super().prompt(request)[-1000:]


class RaisesValueError(Good):
    def fit(self, request: tts.Request) -> None:
        if self.tokens(self.prompt(request)) >= 1000:
            raise ValueError("too long")


class OtherContext(Good):
    def fit(self, request: tts.Request) -> None:
        if (tokens := self.tokens(self.prompt(request))) >= 1000:
            raise tts.ContextLengthError(tokens, 1024, "good")


class CountsWhatFits(Good):
    def fit(self, request: tts.Request) -> None:
        if self.tokens(self.prompt(request)) >= 1000:
            raise tts.ContextLengthError(1000, 1000, "good")


class Overflows(Good):
    def most(self, request: tts.Request) -> int:
        return min(request.sampling.max_tokens or _FREE, 200)


class ReadsControls(Good):
    def tokens(self, text: str) -> int:
        return super().tokens(text.replace(CONTROL, " x "))


class OneLoop(Good):
    _loop: asyncio.AbstractEventLoop | None = None

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        self._loop = self._loop or asyncio.get_running_loop()
        turn = self._loop.create_future()
        self._loop.call_soon(turn.set_result, None)
        await turn
        async for completion in super().generate(request):
            yield completion


class NewFingerprint(Good):
    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = str(id(self))


class NoFingerprint(Good):
    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = ""


class NeverCloses(Good):
    async def aclose(self) -> None: ...


class LeavesAThread(Good):
    def __init__(self) -> None:
        super().__init__()
        self.leave = threading.Event()
        threading.Thread(target=self.leave.wait, args=(5,), daemon=True).start()
