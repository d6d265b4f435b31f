"""The interface `/v1/responses`: text in, text out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any, ClassVar

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
    "tools": "here it is text in, text out; tools are offered to /v1/chat/completions",
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
        fields["response_format"] = _format(text["format"])
    system = [{"role": "system", "content": instructions}] if instructions else []
    turns = [_turn(one) for one in said] if isinstance(said, list) else [{"role": "user", "content": said}]
    return read_chat(
        {_SAME.get(name, name): value for name, value in fields.items()} | {"messages": system + turns}, longest
    )


def _turn(item: Any) -> Any:
    """An item of the input as a chat turn; what is none is left for the check of turns to name."""
    if not isinstance(item, dict):
        return item
    if item.get("type", "message") != "message":
        message = f"input: an item is {str(item.get('type'))!r}; here it is text in, text out, as messages"
        raise Failure(400, message, code="invalid_value", param="input")
    turn = {name: value for name, value in item.items() if name not in ("type", "id", "status")}
    if isinstance(turn.get("content"), list):
        turn["content"] = [_part(part) for part in turn["content"]]
    return turn


def _format(asked: Any) -> Any:
    """The form of the answer as chat completions have it: the schema in a part of its own."""
    if not isinstance(asked, dict) or asked.get("type") != "json_schema":
        return asked
    return {"type": "json_schema", "json_schema": {name: value for name, value in asked.items() if name != "type"}}


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("type") not in ("text", "input_text", "output_text"):
        message = (
            f"input: a part is {str(part.get('type'))!r}; here it is text in, text out, /v1/chat/completions takes more"
        )
        raise Failure(400, message, code="invalid_value", param="input")
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


class ResponsesWritten(Written):
    """A stream of numbered events with names."""

    named: ClassVar[bool] = True

    def __init__(self, request_id: str, asked: Asked) -> None:
        super().__init__(request_id, asked.model)
        self._numbers = itertools.count()
        self._begun = False

    def progress(self, text: str) -> Iterator[dict[str, Any]]:
        """As a summary of reasoning."""
        item = {"item_id": f"rs_{self.request_id}", "output_index": 0, "summary_index": 0}
        yield self._numbered({"type": "response.reasoning_summary_text.delta", **item, "delta": text})

    def delta(self, text: str) -> Iterator[dict[str, Any]]:
        """The text, after what begins a response where it has not begun."""
        yield from self._begin()
        self.wrote(text)
        yield self._numbered({"type": "response.output_text.delta", **self._at(0), "delta": text, "logprobs": []})

    def answer(self, answered: Answered) -> Iterator[dict[str, Any]]:
        """Each choice as an item of the output."""
        self.answered_by(answered.served.name)
        rest = self.rest(text_of(answered.results[0]))
        yield from self.delta(rest) if rest else self._begin()
        for place, result in enumerate(answered.results):
            if place:
                yield from self._item(place)
                told = {"type": "response.output_text.delta", **self._at(place), "logprobs": []}
                yield self._numbered({**told, "delta": text_of(result)})
            whole, at = _message(answered, place), self._at(place)
            text = {"text": text_of(result), "logprobs": []}
            yield self._numbered({"type": "response.output_text.done", **at, **text})
            yield self._numbered({"type": "response.content_part.done", **at, "part": whole["content"][0]})
            yield self._numbered({"type": "response.output_item.done", "output_index": place, "item": whole})
        yield self._numbered({"type": "response.completed", "response": response(answered)})

    def error(self, body: dict[str, Any]) -> dict[str, Any]:
        """An event of its own."""
        return self._numbered({"type": "error", **body["error"]})

    def _begin(self) -> Iterator[dict[str, Any]]:
        if self._begun:
            return
        self._begun = True
        started = _head(self.request_id, self.model, "in_progress")
        yield self._numbered({"type": "response.created", "response": started})
        yield self._numbered({"type": "response.in_progress", "response": started})
        yield from self._item(0)

    def _item(self, place: int) -> Iterator[dict[str, Any]]:
        """What begins an item of the output."""
        item = {"id": _item(self.request_id, place), "type": "message", "role": "assistant", "status": "in_progress"}
        added = {"type": "response.output_item.added", "output_index": place, "item": {**item, "content": []}}
        yield self._numbered(added)
        part = {"type": "output_text", "text": "", "annotations": []}
        yield self._numbered({"type": "response.content_part.added", **self._at(place), "part": part})

    def _at(self, place: int) -> dict[str, Any]:
        return {"output_index": place, "item_id": _item(self.request_id, place), "content_index": 0}

    def _numbered(self, event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "sequence_number": next(self._numbers)}
