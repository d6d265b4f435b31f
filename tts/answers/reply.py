"""What an application is answered with: calls of tools, a JSON value, or a text with an answer in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tts.answers.extraction import extract
from tts.answers.written import json_key, whole_json
from tts.vocabulary.tool_calls import ToolCall, split_tool_calls

_CALLS = "tool_calls"


def reply(text: str) -> str | None:
    """The tools that a response calls, or the JSON object or list that is all of it, equal ones written alike.

    Calls are equal by name and arguments, whatever their order; what else a response with calls says does not count.
    Any other text has the answer that "auto" finds.
    """
    _, calls = split_tool_calls(text)
    if calls:
        return json_key(json.dumps({_CALLS: sorted(map(_call, calls), key=_written)}))
    return whole_json(text) or extract(text)


def by_value(answers: Sequence[str | None]) -> list[bool]:
    """Which answers are compared as values of JSON: objects, among them calls, and lists where all are JSON."""
    only = all(answer is None or whole_json(answer) == answer for answer in answers)
    return [answer is not None and (only or (answer[:1] == "{" and whole_json(answer) == answer)) for answer in answers]


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        arguments = call.arguments
    return {"name": call.name, "arguments": arguments}


def _written(call: dict[str, Any]) -> str:
    return json_key(json.dumps(call))
