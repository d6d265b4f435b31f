"""Calls of tools as the text of a completion, in which models themselves write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*(?P<name>"(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*')
_TAIL = re.compile(rf"\s*\}}\s*(?:{CLOSE}\s*|$)")
_BEGIN, _END = re.compile(r"\s*\{"), re.compile(rf"\s*(?:{CLOSE}\s*|$)")
_DECODER = json.JSONDecoder()


class ToolCall(NamedTuple):
    """One call; `arguments` is the JSON text that the model wrote, which may be no JSON where it was cut off."""

    name: str
    arguments: str


class Called(NamedTuple):
    """What a text says and which tools it calls."""

    text: str
    calls: tuple[ToolCall, ...]


def with_tool_calls(text: str, calls: Iterable[ToolCall]) -> str:
    """A text with calls behind it, each as `<tool_call>{"name": …, "arguments": …}</tool_call>` on lines of its own."""
    blocks = [f'{OPEN}\n{{"name": {_text(one.name)}, "arguments": {_value(one.arguments)}}}\n{CLOSE}' for one in calls]
    return "\n".join([*([text] if text and blocks else []), *blocks]) if blocks else text


def split_tool_calls(text: str) -> Called:
    """The inverse: the calls with which a text ends, their arguments letter by letter as they stand there.

    What stands before them loses the white space at its end. A block that is no call, or that words follow, is a part
    of the text.
    """
    start = text.find(OPEN)
    while start >= 0:
        calls = _calls(text, start)
        if calls:
            return Called(text[:start].rstrip(), calls)
        start = text.find(OPEN, start + 1)
    return Called(text, ())


def _calls(text: str, place: int) -> tuple[ToolCall, ...]:
    """The calls from here to the end of the text; none where something else is between them."""
    calls: list[ToolCall] = []
    while place < len(text):
        found = _call(text, place)
        if found is None:
            return ()
        call, place = found
        calls.append(call)
    return tuple(calls)


def _call(text: str, place: int) -> tuple[ToolCall, int] | None:
    """The call in the block that begins here, and where the block ends."""
    if not text.startswith(OPEN, place):
        return None
    place += len(OPEN)
    try:
        if (head := _HEAD.match(text, place)) is not None:
            value, end = _DECODER.raw_decode(text, head.end())
            call = ToolCall(json.loads(head["name"]), value if isinstance(value, str) else text[head.end() : end])
            closed = _TAIL.match(text, end)
            return None if closed is None else (call, closed.end())
        begin = _BEGIN.match(text, place)
        body, end = (None, place) if begin is None else _DECODER.raw_decode(text, begin.end() - 1)
    except (ValueError, RecursionError):
        return None
    closed, read = _END.match(text, end), _in_another_order(body)
    return None if closed is None or read is None else (read, closed.end())


def _in_another_order(body: Any) -> ToolCall | None:
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        return None
    arguments = body.get("arguments", body.get("parameters", {}))
    return ToolCall(body["name"], arguments if isinstance(arguments, str) else _text(arguments))


def _value(arguments: str) -> str:
    """Arguments that are an object as they are, others as a string."""
    try:
        whole = isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        whole = False
    return arguments.strip() if whole else _text(arguments)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
