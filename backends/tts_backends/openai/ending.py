"""How a server says that a completion has ended."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

_STOP = {"stop", "eos", "eos_token", "stop_sequence", "end_turn"}  # the interface's word, and those of TGI and proxies
_LENGTH = {"length", "max_tokens"}
_FILTERED = {"content_filter", "refusal", "safety"}
_TOOLS = {"tool_calls", "tool_use", "function_call"}
_BROKEN = {"abort", "error", ""}  # "": the server says nothing, as where a proxy ends a stream for it
_SHOWN = 300  # characters of a refusal or of a server's message


class Ending(NamedTuple):
    """What an ending means; `why` is a sentence where no whole completion came, `again` says that another may come."""

    reason: Literal["stop", "length", "error", "refused"]
    why: str | None = None
    again: bool = False


def ending(choice: dict[str, Any], refusal: str | None, *, tools: bool = False) -> Ending:
    """What the end of one choice means; a word that nobody knows is no good end.

    `tools` says that some were offered.
    """
    said = choice.get("finish_reason")
    word = str(said or "").lower()
    if refusal:
        return Ending("refused", f"the model refused: {_line(refusal)}")
    if word in _FILTERED:
        return Ending("refused", f"the completion was stopped by a content filter (finish_reason {said!r})")
    if word in _STOP or (tools and word in _TOOLS):
        return Ending("stop")
    if word in _LENGTH:
        return Ending("length")
    if word in _TOOLS:
        return Ending("error", f"the model called a tool (finish_reason {said!r}), and none was offered")
    told = choice.get("error")
    words = told.get("message") if isinstance(told, dict) else told
    tail = f": {_line(words)}" if words else ""
    if word in _BROKEN:
        return Ending("error", f"the server broke the completion off (finish_reason {said!r}){tail}", again=True)
    return Ending("error", f"the completion ended with the unknown finish_reason {said!r}{tail}")


def _line(words: object) -> str:
    return " ".join(str(words).split())[:_SHOWN]
