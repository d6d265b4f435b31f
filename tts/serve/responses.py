"""The interface `/v1/responses`: text in, text out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tts.serve.asked import Asked, read_chat
from tts.serve.chat import end_of, text_of, told
from tts.serve.failure import Failure
from tts.serve.gateway import Answered
from tts.serve.written import Written

# Other names of what chat completions have, too.
_SAME = {"max_output_tokens": "max_completion_tokens"}
_REFUSED = {
    "previous_response_id": "nothing is kept between requests; send the conversation as input",
    "conversation": "nothing is kept between requests; send the conversation as input",
    "background": "requests are answered while they are open; leave it out",
    "prompt": "there are no stored prompts here; send the text as input",
}
_WITHOUT_EFFECT = frozenset({"include", "truncation", "reasoning", "max_tool_calls"})


def read(body: dict[str, Any], longest: int) -> Asked:
    """A request as one for a chat completion; raises `Failure` (400)."""
    for name, why in _REFUSED.items():
        if body.get(name):
            raise Failure(400, f"{name}: {why}", code="unsupported_parameter", param=name)
    if "input" not in body:
        raise Failure(400, "input: Field required", code="invalid_value", param="input")
    fields = {name: value for name, value in body.items() if name not in _REFUSED and name not in _WITHOUT_EFFECT}
    said, instructions = fields.pop("input"), fields.pop("instructions", None)
    text = fields.pop("text", None) or {}
    if (text.get("format") or {"type": "text"}) != {"type": "text"}:
        fields["response_format"] = text["format"]
    system = [{"role": "system", "content": instructions}] if instructions else []
    turns = [_turn(one) for one in said] if isinstance(said, list) else [{"role": "user", "content": said}]
    return read_chat(
        {_SAME.get(name, name): value for name, value in fields.items()} | {"messages": system + turns}, longest
    )


def _turn(item: Any) -> Any:
    """An item of the input as a chat turn; what is none is left for the check of turns to name."""
    if not isinstance(item, dict) or item.get("type", "message") != "message":
        return item
    turn = {name: value for name, value in item.items() if name not in ("type", "id", "status")}
    if isinstance(turn.get("content"), list):
        turn["content"] = [_part(part) for part in turn["content"]]
    return turn


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return {name: value for name, value in part.items() if name not in ("annotations", "logprobs")}


def response(answered: Answered) -> dict[str, Any]:
    """The whole answer."""
    return {
        **_head(answered.request_id, answered.served.name, "completed"),
        "output": [_message(answered, place) for place in range(len(answered.results))],
        "usage": _usage(answered),
        "tts": told(answered),
    }


def _head(request_id: str, model: str, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{request_id}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "model": model,
        "output": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
        "temperature": None,
        "top_p": None,
    }


def _message(answered: Answered, place: int) -> dict[str, Any]:
    result = answered.results[place]
    return {
        "id": _item(answered.request_id, place),
        "type": "message",
        "role": "assistant",
        "status": "incomplete" if end_of(result) == "length" else "completed",
        "content": [{"type": "output_text", "text": text_of(result), "annotations": []}],
    }


def _item(request_id: str, place: int) -> str:
    return f"msg_{request_id}_{place}"


def _usage(answered: Answered) -> dict[str, Any]:
    usage = answered.usage
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.generated_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
        "total_tokens": usage.total_tokens,
    }


def written(request_id: str) -> Written:
    """A stream of numbered events with names."""
    numbers = iter(range(1 << 62))

    def numbered(event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "sequence_number": next(numbers)}

    def progress(text: str) -> dict[str, Any]:
        item = f"rs_{request_id}"
        told = {"type": "response.reasoning_summary_text.delta", "item_id": item, "output_index": 0}
        return numbered({**told, "summary_index": 0, "delta": text})

    def error(body: dict[str, Any]) -> dict[str, Any]:
        return numbered({"type": "error", **body["error"]})

    def answer(answered: Answered) -> Iterator[dict[str, Any]]:
        return map(numbered, _events(answered))

    return Written(progress, answer, error, b"", named=True)


def _events(answered: Answered) -> Iterator[dict[str, Any]]:
    started = _head(answered.request_id, answered.served.name, "in_progress")
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    for place, result in enumerate(answered.results):
        whole, text = _message(answered, place), text_of(result)
        at = {"output_index": place, "item_id": whole["id"], "content_index": 0}
        empty = {**whole, "status": "in_progress", "content": []}
        yield {"type": "response.output_item.added", "output_index": place, "item": empty}
        part = {"type": "output_text", "text": "", "annotations": []}
        yield {"type": "response.content_part.added", **at, "part": part}
        yield {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []}
        yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **at, "part": whole["content"][0]}
        yield {"type": "response.output_item.done", "output_index": place, "item": whole}
    yield {"type": "response.completed", "response": response(answered)}
