"""Models that follow a script, or fail on purpose."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from tts.contracts.models import Backend, Capabilities, NoOptions, Request
from tts.registry.code import code_of
from tts.vocabulary.records import Candidate, Completion, Problem, Score, Usage, Verdict
from tts.vocabulary.thinking import split_thinking

Says = str | Sequence[str] | Callable[[Request, int], str | Awaitable[str]]
Winner = Literal["a", "b", "tie"] | None
Fault = Exception | Literal["hang", "empty", "drop"]


def _plain(script: object) -> object:
    """A script as far as it can be told from another: a function of a test may hold anything."""
    return getattr(script, "__qualname__", "a function") if callable(script) else script


class ScriptedModel:
    """A policy or synthesizer that says what a script says; `requests` has all that it was asked.

    `says` is one text, several texts for the completions 0, 1, 2 … of each request (then from the first again), or a
    function of the request and the completion's index, which may be async and may wait.
    """

    Options: type[BaseModel] = NoOptions

    def __init__(self, says: Says, capabilities: Capabilities | None = None) -> None:
        self._says = says
        self.capabilities: Capabilities = capabilities or Capabilities(seed=True)
        self.fingerprint: str = "scripted"
        self.requests: list[Request] = []

    @property
    def prompts(self) -> list[str]:
        """The last message of each request."""
        return [request.messages[-1].content for request in self.requests]

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """What the script says, all at once; each is yielded when its text is there."""
        self.requests.append(request)
        left = request.n
        waiting = [asyncio.ensure_future(self._completion(request, index)) for index in range(request.n)]
        try:
            for done in asyncio.as_completed(waiting):
                completion = await done
                left -= 1
                yield completion
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            for _ in range(left):
                request.on_cancelled(Usage(calls=1, prompt_tokens=10, cancelled=1))

    async def _completion(self, request: Request, index: int) -> Completion:
        if isinstance(self._says, str):
            said: Any = self._says
        elif callable(self._says):
            said = self._says(request, index)
        else:
            said = self._says[index % len(self._says)]
        text = await said if inspect.isawaitable(said) else said
        thinking, summary = split_thinking(text)
        usage = Usage(calls=1, prompt_tokens=10, answer_tokens=len(text.split()))
        return Completion(index=index, text=text, thinking=thinking, summary=summary, usage=usage)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words."""
        return [len(text.split()) for text in texts]

    async def aclose(self) -> None:
        """Nothing to free."""


class ScriptedScorer:
    """A scorer that goes by a function of the response, or by the first of some phrases that is in its text.

    `calls` has the texts of all that it was asked to score.
    """

    Options: type[BaseModel] = NoOptions

    def __init__(self, scores: Callable[[Candidate], float] | Mapping[str, float]) -> None:
        self._scores = scores
        self.fingerprint: str = code_of(type(self), _plain(scores))
        self.calls: list[str] = []

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:  # noqa: ARG002 - the contract's
        """What the script says; 0 where no phrase fits."""
        self.calls += [one.text for one in responses]
        return [Score(value=self._value(one), usage=Usage(calls=1, prompt_tokens=10)) for one in responses]

    def _value(self, response: Candidate) -> float:
        if callable(self._scores):
            return self._scores(response)
        return next((value for phrase, value in self._scores.items() if phrase in response.text), 0.0)

    async def aclose(self) -> None:
        """Nothing to free."""


class ScriptedJudge:
    """A judge that goes by a function of the two responses, or prefers the one that holds a phrase.

    Where both hold it, or neither, it says "tie". `calls` has the texts of the pairs in the order shown.
    """

    Options: type[BaseModel] = NoOptions

    def __init__(self, prefers: Callable[[Candidate, Candidate], Winner] | str) -> None:
        self._prefers = prefers
        self.fingerprint: str = code_of(type(self), _plain(prefers))
        self.calls: list[tuple[str, str]] = []

    async def compare(self, problem: Problem, a: Candidate, b: Candidate, *, seed: int) -> Verdict:  # noqa: ARG002 - the contract's
        """What the script says."""
        self.calls.append((a.text, b.text))
        return Verdict(winner=self._winner(a, b), usage=Usage(calls=1, prompt_tokens=10, answer_tokens=1))

    def _winner(self, a: Candidate, b: Candidate) -> Winner:
        if callable(self._prefers):
            return self._prefers(a, b)
        in_a, in_b = self._prefers in a.text, self._prefers in b.text
        return "tie" if in_a == in_b else "a" if in_a else "b"

    async def aclose(self) -> None:
        """Nothing to free."""


class FaultyModel:
    """Another backend, failing where it is told to.

    `faults` maps the number of a request, from 0 on, to what happens at it: an exception is raised before the first
    completion; "hang" never answers; "empty" empties every text; "drop" ends after the first completion of several, or
    without any. A function of the request may be given instead. Requests without a fault pass through.
    """

    Options: type[BaseModel] = NoOptions

    def __init__(self, inner: Backend, faults: Mapping[int, Fault] | Callable[[Request], Fault | None]) -> None:
        self._inner, self._faults = inner, faults
        self.capabilities: Capabilities = inner.capabilities
        self.fingerprint: str = inner.fingerprint
        self.requests: list[Request] = []

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """As the other backend, but for the fault."""
        number = len(self.requests)
        self.requests.append(request)
        fault = self._faults(request) if callable(self._faults) else self._faults.get(number)
        if isinstance(fault, Exception):
            raise fault
        if fault == "hang":
            await asyncio.Event().wait()
        completions = self._inner.generate(request)
        try:
            if fault == "drop" and request.n == 1:
                return
            async for completion in completions:
                yield (
                    completion.model_copy(update={"text": "", "thinking": None, "summary": ""})
                    if fault == "empty"
                    else completion
                )
                if fault == "drop":
                    return
        finally:
            await completions.aclose()

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the other backend."""
        return await self._inner.count_tokens(texts)

    async def aclose(self) -> None:
        """Close the other backend."""
        await self._inner.aclose()
