"""Answers as chat completions, whole or in chunks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tts.serve.asked import Asked
from tts.serve.gateway import Answered
from tts.serve.written import Written
from tts.vocabulary.records import Candidate, Result, Usage
from tts.vocabulary.thinking import split_thinking

_ENDS = {"length": "length", "refused": "content_filter"}


def text_of(result: Result) -> str:
    """What a reader sees of the answer."""
    text = result.text
    return split_thinking(text).summary or text


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
            "message": {"role": "assistant", "content": text_of(result), "refusal": None},
            "logprobs": None,
            "finish_reason": end_of(result),
        }
        for place, result in enumerate(answered.results)
    ]
    head = _head(answered.request_id, answered.served.name, "chat.completion")
    return {**head, "choices": choices, "usage": usage_of(answered), "tts": told(answered)}


def _head(request_id: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{request_id}", "object": kind, "created": int(time.time()), "model": model}


def chunk(
    request_id: str, model: str, place: int, delta: dict[str, Any], end: str | None = None, **more: Any
) -> dict[str, Any]:
    """One chunk of a stream."""
    head = _head(request_id, model, "chat.completion.chunk")
    return {**head, "choices": [{"index": place, "delta": delta, "logprobs": None, "finish_reason": end}], **more}


def chunks(answered: Answered, *, include_usage: bool) -> Iterator[dict[str, Any]]:
    """The answer as a stream has it: text, end, what it came from, the usage where it is wanted."""
    request_id, model = answered.request_id, answered.served.name
    for place, result in enumerate(answered.results):
        yield chunk(request_id, model, place, {"role": "assistant", "content": text_of(result)})
        last = {"tts": told(answered)} if place == len(answered.results) - 1 else {}
        yield chunk(request_id, model, place, {}, end_of(result), **last)
    if include_usage:
        head = _head(request_id, model, "chat.completion.chunk")
        yield {**head, "choices": [], "usage": usage_of(answered)}


def written(request_id: str, asked: Asked) -> Written:
    """A stream of chat completions."""
    return Written(
        lambda text: chunk(request_id, asked.model, 0, {"reasoning_content": text}),
        lambda answered: chunks(answered, include_usage=asked.include_usage),
        lambda error: error,
        b"data: [DONE]\n\n",
    )


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
