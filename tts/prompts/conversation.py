"""How a prompt that is made of a problem stands in the conversation that the problem is."""

from __future__ import annotations

from typing import Any

from tts.vocabulary.records import Message, Problem
from tts.vocabulary.tool_calls import ToolCall, with_tool_calls


def in_conversation(problem: Problem, prompt: str) -> tuple[Message, ...]:
    """A prompt over the last user message, after the turns before it as they are; alone, where there are none.

    Where others have spoken since, such as tools, all turns stay, the last user message among them. What that has
    beside its text, such as images, stays with the prompt.
    """
    turns = problem.messages or ()
    if not turns or turns[-1].role != "user":
        return (*turns, Message(role="user", content=prompt))
    return (*turns[:-1], Message(role="user", content=prompt, raw=_over(turns[-1].raw, prompt)))


def transcript(problem: Problem) -> str:
    """The problem as one text for who is no part of the conversation, such as a judge: each turn after its role.

    The text itself where there is one turn only.
    """
    turns = problem.messages or ()
    if len(turns) < 2:
        return problem.text
    return "\n\n".join(f"{turn.role.capitalize()}: {_said(turn)}" for turn in turns)


def _over(raw: dict[str, Any] | None, prompt: str) -> dict[str, Any] | None:
    """A turn with the prompt in the place of its text."""
    if raw is None:
        return None
    if not isinstance(raw.get("content"), list):
        return {**raw, "content": prompt}
    others = [part for part in raw["content"] if not (isinstance(part, dict) and part.get("type") == "text")]
    return {**raw, "content": [*others, {"type": "text", "text": prompt}]}


def _said(turn: Message) -> str:
    """A turn's text with the tools that it calls."""
    called = [one.get("function") or {} for one in (turn.raw or {}).get("tool_calls") or () if isinstance(one, dict)]
    calls = [ToolCall(str(one.get("name")), str(one.get("arguments"))) for one in called]
    return with_tool_calls(turn.content, calls)
