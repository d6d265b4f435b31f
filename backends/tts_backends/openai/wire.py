"""The OpenAI-compatible interface as our records: chat completions as well as completions.

A server that takes reasoning apart (`reasoning_content`, `reasoning`) is put together again: the text of a completion
has the think block in it, as the hf backend's has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from tts import BackendError, Completion, Message, Request, Usage, split_thinking, with_tool_calls
from tts_backends.openai.counts import Counting, Written, estimate, split_usage
from tts_backends.openai.ending import ending
from tts_backends.openai.forms import characters, said
from tts_backends.openai.habits import Habits
from tts_backends.openai.server import Greeting
from tts_backends.openai.tools import calls_of

HELLO = "Hi"  # what the smallest request asks
DEFAULT_TOKENS = 32_768  # what `max_tokens=None` means
ASKED = ("response_format", "tools", "tool_choice", "parallel_tool_calls")
"""What of a sampling goes through as it is."""


class Dialect(NamedTuple):
    """What one server understands, as probed.

    `seed`, `n`, `logprobs`, `usage`, `reasoning` and `tokenize` say that it really works, not that it is accepted;
    `first_only` that of several choices it counts the tokens of the first.
    """

    n: bool = False
    seed: bool = False
    logprobs: bool = False
    usage: bool = False
    reasoning: bool = False
    tokenize: bool = False
    context: int | None = None
    identity: str = ""
    first_only: bool = False


class Wire(NamedTuple):
    """How requests to a model are written and its answers read."""

    model: str
    api: Literal["chat", "completions"]
    stream: bool
    markers: tuple[str, str]
    further: dict[str, Any] | None = None  # what the reference adds to every request

    @property
    def path(self) -> str:
        """What follows the server's base address."""
        return "/chat/completions" if self.api == "chat" else "/completions"

    @property
    def greeting(self) -> Greeting:
        """The smallest request."""
        body = {"model": self.model, **self.prompt([Message(role="user", content=HELLO)]), "max_tokens": 1}
        return Greeting(self.path, json.dumps(body).encode())

    def prompt(self, messages: Sequence[Message]) -> dict[str, Any]:
        """The prompt's part of a request; completions get the paragraphs that a model without chat template gets."""
        if self.api == "chat":
            return {"messages": [m.raw or {"role": m.role, "content": m.content} for m in messages]}
        said = [f"{m.role.capitalize()}: {m.content}" for m in messages]
        return {"prompt": "\n\n".join([*said, "Assistant:"])}

    def body(
        self, request: Request, dialect: Dialect, habits: Habits | None = None, most: int | None = None
    ) -> dict[str, Any]:
        """A request without what differs between its completions; `most` bounds new tokens where room is short.

        What the sampling leaves as the interface has it anyway is not said, unless it was asked for: services refuse
        parameters that they do not have, whatever their value.
        """
        sampling, habits = request.sampling, habits or Habits()
        body: dict[str, Any] = {"model": self.model, **self.prompt(request.messages)}
        drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p}
        body |= {name: value for name, value in drawn.items() if value != 1 or name in sampling.model_fields_set}
        body |= self.further or {}
        if sampling.top_k is not None:
            body["top_k"] = sampling.top_k
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if sampling.logprobs:
            body["logprobs"] = True if self.api == "chat" else 1
        if sampling.thinking is not None:
            own = body.get("chat_template_kwargs") or {}
            body["chat_template_kwargs"] = {**own, "enable_thinking": sampling.thinking}
        asked = {name: getattr(sampling, name) for name in ASKED}
        body |= {name: value for name, value in asked.items() if value is not None}
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        tokens = self._tokens(request, dialect)
        if most is not None:
            tokens = min(most, request.sampling.max_tokens or DEFAULT_TOKENS)
        if tokens is not None:
            body[habits.limit] = tokens
        return {name: value for name, value in body.items() if not habits.drops(name)}

    def _tokens(self, request: Request, dialect: Dialect) -> int | None:
        """The most new tokens; `None` leaves it to the server, whose rule is then what the context leaves."""
        wanted, context = request.sampling.max_tokens or DEFAULT_TOKENS, dialect.context
        if context is None:
            return wanted if request.sampling.max_tokens or self.api == "completions" else None
        if wanted < context:
            return wanted
        if self.api == "chat":
            return None
        return max(1, context - estimate(self.prompt(request.messages)["prompt"]))

    def read(
        self,
        answer: dict[str, Any],
        indices: Sequence[int],
        with_logprobs: bool,
        counting: Counting = Counting(),  # noqa: B008 - immutable
        lost: Callable[[Usage], None] = lambda _: None,
        *,
        tools: bool = False,
    ) -> list[Completion]:
        """The completions in an answer, for these indices in turn: at most as many, and fewer where fewer came.

        One that was refused, or that failed for good, has its `error`. One that was broken off is left out, and what
        it has cost goes to `lost`. `counting` is for what the server does not count, `tools` says that some were
        offered. Raises `ValueError`, `KeyError` or `TypeError` where the answer has another form, `BackendError` where
        all were broken off.
        """
        choices = _choices(answer, len(indices))
        parts = [self._parts(choice) for choice in choices]
        written = [self._written(choice, part) for choice, part in zip(choices, parts, strict=True)]
        usages = split_usage(answer.get("usage"), written, counting)
        found, why = [], ""
        for index, choice, part, usage in zip(indices, choices, parts, usages, strict=False):
            end = ending(choice, said(self._message(choice)).refusal, tools=tools)
            if end.again:
                why = end.why or ""
                lost(usage.model_copy(update={"cancelled": 1}))
            elif end.why is not None:
                found.append(Completion(index=index, text="", finish_reason=end.reason, usage=usage, error=end.why))
            else:
                logprob = _logprob(choice.get("logprobs")) if with_logprobs else None
                found.append(
                    Completion(index=index, finish_reason=end.reason, usage=usage, logprob=logprob, **part._asdict())
                )
        if not found:
            raise BackendError(why, retryable=True)
        return found

    def written(self, answer: dict[str, Any], most: int) -> list[Written]:
        """What each choice of an answer has written, of so many at most; raises as `read` does."""
        return [self._written(choice, self._parts(choice)) for choice in _choices(answer, most)]

    def _written(self, choice: dict[str, Any], part: _Parts) -> Written:
        inside = part.text if part.summary is None else part.thinking or ""
        return Written(inside, part.text, choice.get("finish_reason") == "length")

    def _message(self, choice: dict[str, Any]) -> dict[str, Any]:
        return choice["message"] if self.api == "chat" else {"content": choice["text"]}

    def _parts(self, choice: dict[str, Any]) -> _Parts:
        content, reasoning, _ = said(self._message(choice))
        content, opening, closing = characters(content or ""), *self.markers
        content = with_tool_calls(content, calls_of(self._message(choice)))
        if not reasoning:
            thinking, summary = split_thinking(content, opening, closing)
            return _Parts(content, thinking, summary)
        reasoning = characters(reasoning)
        if not content and choice.get("finish_reason") == "length":
            return _Parts(f"{opening}{reasoning}", reasoning.strip(), None)
        return _Parts(f"{opening}{reasoning}{closing}{content}", reasoning.strip(), content.strip())


class _Parts(NamedTuple):
    text: str
    thinking: str | None
    summary: str | None


def _choices(answer: dict[str, Any], most: int) -> list[dict[str, Any]]:
    choices = sorted(answer["choices"], key=lambda choice: choice.get("index") or 0)[:most]
    if not choices:
        raise ValueError("no choices")
    return choices


def _logprob(logprobs: dict[str, Any] | None) -> float | None:
    """The sum over a choice's tokens; chat and completions have it under different names."""
    if not logprobs:
        return None
    if logprobs.get("content") is not None:
        return sum((token["logprob"] for token in logprobs["content"]), 0.0)
    found = logprobs.get("token_logprobs")
    return None if found is None else sum((value for value in found if value is not None), 0.0)


def names(values: Iterable[str], most: int = 10) -> str:
    """A list for a message, cut where it is long."""
    shown = sorted(values)
    return ", ".join(map(repr, shown[:most])) + (f" and {len(shown) - most} more" if len(shown) > most else "")
