"""Answers as chat completions, whole or in chunks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, ClassVar

from tts.serve.asked import Asked
from tts.serve.gateway import Answered
from tts.serve.written import Written
from tts.vocabulary.records import Candidate, Result, Usage
from tts.vocabulary.thinking import split_thinking
from tts.vocabulary.tool_calls import Called, split_tool_calls

_ENDS = {"length": "length", "refused": "content_filter"}


def text_of(result: Result) -> str:
    """What a reader sees of the answer."""
    text = result.text
    return split_thinking(text).summary or text


def called(result: Result, *, tools: bool) -> Called:
    """What a reader sees of the answer, and what tools it calls, where there are some."""
    text = text_of(result)
    return split_tool_calls(text) if tools else Called(text, ())


def end_of(result: Result) -> str:
    """Why the answer ended, in OpenAI's words."""
    return _ENDS.get(result.finish_reasons[0], "stop") if result.finish_reasons else "stop"


def usage_of(answered: Answered) -> dict[str, Any]:
    """What was paid, candidates and all."""
    usage = answered.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.generated_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
    }


def completion(answered: Answered) -> dict[str, Any]:
    """The whole answer."""
    choices = [
        {
            "index": place,
            "message": {"role": "assistant", **_said(answered, place), "refusal": None},
            "logprobs": None,
            "finish_reason": _end(answered, place),
        }
        for place in range(len(answered.results))
    ]
    head = _head(answered.request_id, answered.served.name, "chat.completion")
    return {**head, "choices": choices, "usage": usage_of(answered), "tts": told(answered)}


def _said(answered: Answered, place: int) -> dict[str, Any]:
    text, calls = called(answered.results[place], tools=answered.tools)
    if not calls:
        return {"content": text}
    return {"content": text or None, "tool_calls": [_call(answered, place, at) for at in range(len(calls))]}


def _call(answered: Answered, place: int, at: int) -> dict[str, Any]:
    """One call of the answer, under a name of its own, by which its result is told."""
    call = called(answered.results[place], tools=True).calls[at]
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": f"call_{answered.request_id[:24]}_{place}_{at}", "type": "function", "function": function}


def _end(answered: Answered, place: int) -> str:
    end = end_of(answered.results[place])
    return "tool_calls" if end == "stop" and called(answered.results[place], tools=answered.tools).calls else end


def _head(request_id: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{request_id}", "object": kind, "created": int(time.time()), "model": model}


class ChatWritten(Written):
    """A stream of chat completions: text, end, what it came from, the usage where it is wanted."""

    end: ClassVar[bytes] = b"data: [DONE]\n\n"

    def __init__(self, request_id: str, asked: Asked) -> None:
        super().__init__(request_id, asked.model)
        self._include_usage = asked.include_usage

    def progress(self, text: str) -> Iterator[dict[str, Any]]:
        """As reasoning."""
        yield self._chunk(0, {"reasoning_content": text})

    def delta(self, text: str) -> Iterator[dict[str, Any]]:
        """One chunk; the first says who speaks."""
        role = {} if self.sent else {"role": "assistant"}
        self.wrote(text)
        yield self._chunk(0, {**role, "content": text})

    def answer(self, answered: Answered) -> Iterator[dict[str, Any]]:
        """Each choice in turn."""
        self.answered_by(answered.served.name)
        rest = self.rest(called(answered.results[0], tools=answered.tools).text)
        if rest or not self.sent:
            yield from self.delta(rest)
        for place in range(len(answered.results)):
            said = _said(answered, place)
            if place:
                yield self._chunk(place, {"role": "assistant", "content": said["content"]})
            for at, call in enumerate(said.get("tool_calls", ())):
                yield self._chunk(place, {"tool_calls": [{"index": at, **call}]})
            last = {"tts": told(answered)} if place == len(answered.results) - 1 else {}
            yield self._chunk(place, {}, _end(answered, place), **last)
        if self._include_usage:
            head = _head(self.request_id, self.model, "chat.completion.chunk")
            yield {**head, "choices": [], "usage": usage_of(answered)}

    def error(self, body: dict[str, Any]) -> dict[str, Any]:
        """As it is."""
        return body

    def _chunk(self, place: int, delta: dict[str, Any], end: str | None = None, **more: Any) -> dict[str, Any]:
        head = _head(self.request_id, self.model, "chat.completion.chunk")
        return {**head, "choices": [{"index": place, "delta": delta, "logprobs": None, "finish_reason": end}], **more}


def told(answered: Answered) -> dict[str, Any]:
    """What stands beside OpenAI's answer: how it came about."""
    first = [_choice(result, classes) for result, classes in zip(answered.results, answered.classes, strict=True)]
    served = answered.served
    return {
        "request_id": answered.request_id,
        "strategy": None if served.plain else served.strategy.name,
        "k": served.k,
        "seed": answered.seed,
        "seconds": round(answered.seconds, 6),
        "choices": first,
    }


def _choice(result: Result, classes: list[int | None]) -> dict[str, Any]:
    decision = result.decision
    assert decision is not None, "a result without a decision was raised as its error"
    candidates = [_candidate(one, label) for one, label in zip(result.candidates, classes, strict=True)]
    return {
        "candidates": candidates,
        "answer": result.answer,
        "chosen": decision.chosen,
        "written": decision.chosen is None,
        "confidence": decision.confidence,
        "instead": decision.trace.get("instead"),
        "not_waited_for": result.provenance.stopped,
        "dropped": result.provenance.dropped,
        "usage": {role: _role(usage) for role, usage in result.usage.items()},
        "seconds": round(result.seconds, 6),
    }


def _candidate(candidate: Candidate, label: int | None) -> dict[str, Any]:
    said: dict[str, Any] = {
        "index": candidate.index,
        "answer": candidate.answer,
        "class": label,
        "finish_reason": candidate.finish_reason,
        "tokens": candidate.usage.generated_tokens,
    }
    return said if candidate.error is None else {**said, "error": candidate.error}


def _role(usage: Usage) -> dict[str, Any]:
    return {
        "calls": usage.calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.generated_tokens,
        "cancelled": usage.cancelled,
        "seconds": round(usage.seconds, 6),
    }
