"""Calls of tools in the answers of servers, whole or in pieces."""

from __future__ import annotations

from typing import Any

from tts import Request, ToolCall


def offered(request: Request) -> bool:
    """Whether the model may call tools, so that a call is an answer."""
    return request.sampling.tools is not None


def calls_of(message: dict[str, Any]) -> list[ToolCall]:
    """The calls in a message; raises `ValueError`, `KeyError` or `TypeError` where they have another form."""
    functions = [one["function"] for one in message.get("tool_calls") or ()]
    return [ToolCall(str(one["name"]), str(one.get("arguments") or "{}")) for one in functions]


class ToolCalls:
    """Calls that come piece by piece, each at its place."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, str]] = {}

    def take(self, delta: dict[str, Any]) -> None:
        """Take what one event has of them."""
        for place, piece in enumerate(delta.get("tool_calls") or ()):
            call = self._calls.setdefault(piece.get("index", place), {"name": "", "arguments": ""})
            for name in call:
                call[name] += (piece.get("function") or {}).get(name) or ""

    @property
    def message(self) -> dict[str, Any]:
        """What a message in one piece would have of them."""
        calls = [{"type": "function", "function": self._calls[place]} for place in sorted(self._calls)]
        return {"tool_calls": calls} if calls else {}

    @property
    def pieces(self) -> int:
        """About how many tokens they are, where each has one in four characters."""
        return sum(len(one) for call in self._calls.values() for one in call.values()) // 4
