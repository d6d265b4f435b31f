"""A function of the user's in the place of a model."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, ClassVar

from tts.bridge.threads import in_thread
from tts.contracts.models import Capabilities, NoOptions, Request
from tts.registry.user_code import user_function
from tts.vocabulary.errors import BackendError, ConfigError
from tts.vocabulary.records import Candidate, Completion, Problem, Score, Usage, Verdict
from tts.vocabulary.thinking import split_thinking

ModelFunction = Callable[[str], Any]
"""Answers a prompt: its text, the system prompt above it, to the text of a response; it may be `async`."""

ScorerFunction = Callable[[str, str], Any]
"""Scores a response to a problem; higher is better."""

JudgeFunction = Callable[[str, str, str], Any]
"""Says of two responses to a problem which is better: "a", "b", "tie", or `None` for no verdict."""

_AT_ONCE = 8  # calls of a function that run together, each on a thread of its own


class _Function:
    """What the three have in common; who changes the function changes the model."""

    Options: ClassVar[type[NoOptions]] = NoOptions

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function: Callable[..., Any] = function
        self.name: str = name

    async def _called(self, *given: str) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(*given)
        return await in_thread(f"the function {self.name}", lambda: self.function(*given))

    async def aclose(self) -> None:
        """Nothing is held."""


class FunctionBackend(_Function):
    """Implements `tts.Backend` by one call of a function per completion; tokens are estimated."""

    capabilities: Capabilities = Capabilities(concurrency=_AT_ONCE)

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yield the completions, one after the other."""
        prompt = "\n\n".join(message.content for message in request.messages)
        for index in range(request.n):
            text = await self._called(prompt)
            if not isinstance(text, str):
                raise BackendError(f"the function {self.name} returned a {type(text).__name__}; it must return a text")
            thinking, summary = split_thinking(text)
            parts = {
                "prompt_tokens": _tokens(prompt),
                "thinking_tokens": _tokens(thinking) if thinking else 0,
                "answer_tokens": _tokens(summary) if summary else 0,
            }
            usage = Usage(calls=1, **parts, estimated_tokens=sum(parts.values()))
            yield Completion(index=index, text=text, thinking=thinking, summary=summary, usage=usage)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Four characters a token."""
        return list(map(_tokens, texts))


class FunctionScorer(_Function):
    """Implements `tts.Scorer` by one call of a function per response."""

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """Its numbers, in the order of the responses."""
        return [Score(value=float(await self._called(problem.text, one.text)), usage=_CALL) for one in responses]


class FunctionJudge(_Function):
    """Implements `tts.Judge` by one call of a function per pair."""

    async def compare(self, problem: Problem, a: Candidate, b: Candidate, *, seed: int) -> Verdict:  # noqa: ARG002 - the protocol's
        """Its verdict."""
        return Verdict(winner=await self._called(problem.text, a.text, b.text), usage=_CALL)


_CALL = Usage(calls=1)
_KINDS: dict[str, type[_Function]] = {"backend": FunctionBackend, "scorer": FunctionScorer, "judge": FunctionJudge}
_PLAIN = ("generate", "score", "compare")  # what has one of these is a model, callable or not


def of_function(kind: str, given: object) -> object:
    """The model that a function stands for, or `FILE.py:function`; whatever else is given, as it is."""
    named = isinstance(given, str) and given.partition(":")[0].endswith(".py")
    if named and ":" not in str(given):
        raise ConfigError(f"{given!r}: say which function of the file is the {kind}, as in '{given}:reply'")
    function = user_function(given) if named else given  # type: ignore[arg-type]  # a text
    if isinstance(function, str | type) or not callable(function) or any(hasattr(function, one) for one in _PLAIN):
        return function
    name = given if isinstance(given, str) else str(getattr(function, "__name__", type(function).__name__))
    return _KINDS[kind](function, name)


def _tokens(text: str) -> int:
    return max(1, len(text) // 4)
