"""The OpenAI-compatible interface as our records: chat completions as well as completions.

A server that takes reasoning apart (`reasoning_content`, `reasoning`) is put together again: the text of a completion
has the think block in it, as the hf backend's has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from tts import BackendError, Completion, Message, Request, Usage, split_thinking
from tts_backends.openai.ending import ending

DEFAULT_TOKENS = 32_768  # what `max_tokens=None` means
_BYTES_PER_TOKEN = 4  # of UTF-8, where nobody counts


class Dialect(NamedTuple):
    """What one server understands, as probed; `limit` is its name for the most new tokens.

    `seed`, `n`, `logprobs`, `usage`, `reasoning` and `tokenize` say that it really works, not that it is accepted.
    """

    n: bool = False
    seed: bool = False
    logprobs: bool = False
    usage: bool = False
    reasoning: bool = False
    tokenize: bool = False
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    context: int | None = None
    identity: str = ""


class Wire(NamedTuple):
    """How requests to a model are written and its answers read."""

    model: str
    api: Literal["chat", "completions"]
    stream: bool
    markers: tuple[str, str]

    @property
    def path(self) -> str:
        """What follows the server's base address."""
        return "/chat/completions" if self.api == "chat" else "/completions"

    def prompt(self, messages: Sequence[Message]) -> dict[str, Any]:
        """The prompt's part of a request; completions get the paragraphs that a model without chat template gets."""
        if self.api == "chat":
            return {"messages": [{"role": m.role, "content": m.content} for m in messages]}
        said = [f"{m.role.capitalize()}: {m.content}" for m in messages]
        return {"prompt": "\n\n".join([*said, "Assistant:"])}

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """A request without what differs between its completions."""
        sampling = request.sampling
        body: dict[str, Any] = {"model": self.model, **self.prompt(request.messages)}
        body |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
        if sampling.top_k is not None:
            body["top_k"] = sampling.top_k
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if sampling.logprobs:
            body["logprobs"] = True if self.api == "chat" else 1
        if sampling.thinking is not None:
            body["chat_template_kwargs"] = {"enable_thinking": sampling.thinking}
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        tokens = self._tokens(request, dialect)
        return body if tokens is None else body | {dialect.limit: tokens}

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
        seconds: float = 0.0,
        lost: Callable[[Usage], None] = lambda _: None,
    ) -> list[Completion]:
        """The completions in an answer, for these indices in turn: at most as many, and fewer where fewer came.

        One that was refused, or that failed for good, has its `error`. One that was broken off is left out, and what
        it has cost goes to `lost`. `seconds` is how long the answer took. Raises `ValueError`, `KeyError` or
        `TypeError` where the answer has another form, `BackendError` where all were broken off.
        """
        choices = sorted(answer["choices"], key=lambda choice: choice.get("index") or 0)[: len(indices)]
        if not choices:
            raise ValueError("no choices")
        parts = [self._parts(choice) for choice in choices]
        inside = [part.text if part.summary is None else part.thinking or "" for part in parts]
        texts = [(text, part.text) for text, part in zip(inside, parts, strict=True)]
        usages = split_usage(answer.get("usage"), texts, seconds)
        found, why = [], ""
        for index, choice, part, usage in zip(indices, choices, parts, usages, strict=False):
            end = ending(choice, self._message(choice))
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

    def _message(self, choice: dict[str, Any]) -> dict[str, Any]:
        return choice["message"] if self.api == "chat" else {"content": choice["text"]}

    def _parts(self, choice: dict[str, Any]) -> _Parts:
        message = self._message(choice)
        content = message.get("content") or ""
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        if not reasoning:
            thinking, summary = split_thinking(content, *self.markers)
            return _Parts(content, thinking, summary)
        opening, closing = self.markers
        if not content and choice.get("finish_reason") == "length":
            return _Parts(f"{opening}{reasoning}", reasoning.strip(), None)
        return _Parts(f"{opening}{reasoning}{closing}{content}", reasoning.strip(), content.strip())


class _Parts(NamedTuple):
    text: str
    thinking: str | None
    summary: str | None


def estimate(text: str) -> int:
    """Tokens of a text where nobody counts them: four bytes each, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


def split_usage(usage: dict[str, Any] | None, texts: Sequence[tuple[str, str]], seconds: float = 0.0) -> list[Usage]:
    """The usage of each completion of one request, of what the server says of all of them.

    `texts` are (thinking, all). Generated tokens are shared out by length and their sum stays exact; so are thinking
    tokens where the server does not count them. The prompt counts as cached for every completion after the first;
    each has all of the `seconds`.
    """
    usage = usage or {}
    prompt, cached = usage.get("prompt_tokens") or 0, _detail(usage, "prompt_tokens_details", "cached_tokens") or 0
    lengths = [estimate(text) for _, text in texts]
    generated = usage.get("completion_tokens")
    shares = lengths if generated is None else shared_out(generated, lengths)
    reasoning = _detail(usage, "completion_tokens_details", "reasoning_tokens")
    if reasoning and generated is not None:
        inside = shared_out(min(reasoning, generated), [estimate(thinking) for thinking, _ in texts])
        spent = [min(share, part) for share, part in zip(shares, inside, strict=True)]
    else:
        spent = [
            round(share * len(thinking) / len(text)) if thinking else 0
            for share, (thinking, text) in zip(shares, texts, strict=True)
        ]
    return [
        Usage(
            calls=1,
            prompt_tokens=prompt,
            cached_tokens=prompt if place else min(cached, prompt),
            thinking_tokens=inside,
            answer_tokens=share - inside,
            seconds=seconds,
        )
        for place, (share, inside) in enumerate(zip(shares, spent, strict=True))
    ]


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to the weights that add up to the total."""
    if len(weights) == 1:
        return [total]
    whole, shares, given, weighed = sum(weights) or len(weights), [], 0, 0
    for weight in weights if sum(weights) else [1] * len(weights):
        weighed += weight
        share = total * weighed // whole - given
        shares.append(share)
        given += share
    return shares


def _detail(usage: dict[str, Any], group: str, name: str) -> int | None:
    return (usage.get(group) or {}).get(name)


def _logprob(logprobs: dict[str, Any] | None) -> float | None:
    """The sum over a choice's tokens; chat and completions have it under different names."""
    if not logprobs:
        return None
    if logprobs.get("content") is not None:
        return sum((token["logprob"] for token in logprobs["content"]), 0.0)
    found = logprobs.get("token_logprobs")
    return None if found is None else sum((value for value in found if value is not None), 0.0)


class Events:
    """Server-sent events of one streamed completion, put together to the answer that it would be in one piece."""

    def __init__(self, api: str) -> None:
        self._chat = api == "chat"
        self.texts: dict[str, list[str]] = {}
        self._logprobs: list[Any] = []
        self._finish: str | None = None
        self._error: Any = None
        self._usage: dict[str, Any] | None = None
        self._told: Any = None
        self.done = False

    def feed(self, line: bytes) -> None:
        """Take one line of the stream; raises `ValueError`, `KeyError` or `TypeError` where it is damaged."""
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
            return
        event = json.loads(data)
        if event.get("error"):
            raise ValueError(f"the stream says {event['error']}")
        self._usage = event.get("usage") or self._usage
        self._told = event.get("system_fingerprint") or self._told
        for choice in event["choices"]:
            self._add(choice)

    def _add(self, choice: dict[str, Any]) -> None:
        self._finish = choice.get("finish_reason") or self._finish
        self._error = choice.get("error") or self._error
        delta: dict[str, Any] = (choice.get("delta") or {}) if self._chat else {"content": choice.get("text")}
        for name in ("content", "reasoning_content", "reasoning", "refusal"):
            if piece := delta.get(name):
                self.texts.setdefault(name, []).append(piece)
        logprobs = choice.get("logprobs") or {}
        self._logprobs += logprobs.get("content") or logprobs.get("token_logprobs") or ()

    @property
    def complete(self) -> bool:
        """Whether the completion is whole, whatever the server still has to say."""
        return self._finish is not None

    def tokens(self) -> int:
        """About how many tokens have come: servers send one in each event, or a few."""
        return sum(len(pieces) for pieces in self.texts.values())

    def answer(self) -> dict[str, Any]:
        """The answer in one piece."""
        message = {name: "".join(pieces) for name, pieces in self.texts.items()}
        choice: dict[str, Any] = {"index": 0, "finish_reason": self._finish, "error": self._error}
        if self._chat:
            choice |= {"message": message, "logprobs": {"content": self._logprobs or None}}
        else:
            choice |= {"text": message.get("content", ""), "logprobs": {"token_logprobs": self._logprobs or None}}
        return {"choices": [choice], "usage": self._usage, "system_fingerprint": self._told}


def names(values: Iterable[str], most: int = 10) -> str:
    """A list for a message, cut where it is long."""
    shown = sorted(values)
    return ", ".join(map(repr, shown[:most])) + (f" and {len(shown) - most} more" if len(shown) > most else "")
