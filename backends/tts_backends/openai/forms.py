"""The forms in which servers write the text of a message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

# Under which names reasoning is told apart, the usual first; the last is OpenRouter's, beside one of the others.
_REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_INSIDE = ("content", "text", "thinking", "reasoning", "summary", "output_text")  # where a part has its text
_THOUGHTS = {"thinking", "reasoning", "reasoning.text", "reasoning.summary", "redacted_thinking", "reasoning.encrypted"}


class Said(NamedTuple):
    """What a message, or a piece of a streamed one, says: `None` where it has no such field."""

    content: str | None
    reasoning: str | None
    refusal: str | None


def said(message: dict[str, Any]) -> Said:
    """The texts of a message; raises `ValueError` for a content that is none."""
    content, inside, refusal = message.get("content"), None, message.get("refusal")
    if isinstance(content, list):
        thoughts = [part for part in content if _kind(part) in _THOUGHTS]
        refusal = refusal or _joined(part.get("refusal") for part in content if _kind(part) == "refusal") or None
        inside = _joined(text_of(part) for part in thoughts) or None
        content = _joined(text_of(part) for part in content if _kind(part) not in {*_THOUGHTS, "refusal"})
    elif content is not None:
        content = text_of(content)
    told = next((value for name in _REASONING if (value := message.get(name))), None)
    return Said(content, inside if told is None else text_of(told), refusal)


def text_of(value: Any) -> str:
    """The text of a string, of a part with a text in it, or of a list of these; raises `ValueError` for others."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return _joined(map(text_of, value))
    if isinstance(value, dict):
        found = next((value[name] for name in _INSIDE if value.get(name)), None)
        if found is not None or _kind(value) in {"text", "output_text", *_THOUGHTS} or not value:
            return text_of(found)
    raise ValueError(f"{str(value)[:80]!r} is no text")


def characters(text: str) -> str:
    """The text with its surrogate pairs put together, since events may halve one; a half alone becomes U+FFFD."""
    if text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _kind(part: Any) -> str:
    return str(part.get("type") or "") if isinstance(part, dict) else ""


def _joined(texts: Iterable[str | None]) -> str:
    return "".join([text for text in texts if text])
