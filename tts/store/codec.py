"""Completions as rows of the store."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Any

from pydantic_core import to_json

from tts.output.text import mended
from tts.vocabulary.records import Completion, Usage

_USAGE = ("calls", "prompt_tokens", "cached_tokens", "thinking_tokens", "answer_tokens", "cancelled", "seconds")
_counted = attrgetter(*_USAGE)
_ESTIMATED = "estimated_tokens"  # behind the others, where there are some


def encode_completion(completion: Completion) -> str:
    """Compact JSON: thinking and summary as spans of the text where they are parts of it."""
    text, usage = mended(completion.text), completion.usage
    row: dict[str, Any] = {"text": text}
    if completion.thinking is not None:
        row["thinking"] = _span(text, mended(completion.thinking))
    if completion.summary != completion.text:
        row["summary"] = None if completion.summary is None else _span(text, mended(completion.summary))
    if completion.finish_reason != "stop":
        row["finish_reason"] = completion.finish_reason
    if completion.logprob is not None:
        row["logprob"] = completion.logprob
    if completion.server is not None:
        row["server"] = mended(completion.server)
    if completion.system_fingerprint is not None:
        row["system_fingerprint"] = mended(completion.system_fingerprint)
    if completion.model is not None:
        row["model"] = mended(completion.model)
    if completion.dropped:
        row["dropped"] = completion.dropped
    row["usage"] = (*_counted(usage), usage.estimated_tokens) if usage.estimated_tokens else _counted(usage)
    return to_json(row).decode()


def _span(text: str, part: str) -> str | list[int]:
    start = text.rfind(part)
    return part if start < 0 else [start, start + len(part)]


def decode_completion(text: str, index: int) -> Completion:
    """The inverse of `encode_completion`."""
    row = json.loads(text)
    parts = {}
    for name, default in (("thinking", None), ("summary", row["text"])):
        value = row.get(name, default)
        parts[name] = row["text"][value[0] : value[1]] if isinstance(value, list) else value
    usage = Usage(**dict(zip((*_USAGE, _ESTIMATED), row["usage"], strict=False)))  # early stores have no seconds
    return Completion(
        index=index,
        text=row["text"],
        finish_reason=row.get("finish_reason", "stop"),
        logprob=row.get("logprob"),
        server=row.get("server"),
        system_fingerprint=row.get("system_fingerprint"),
        model=row.get("model"),
        dropped=tuple(row.get("dropped", ())),
        usage=usage,
        **parts,
    )


def lacks(old: str, new: str) -> bool:
    """Whether a completion that is stored lacks what another of the same place has: its end, or log-probabilities."""
    there, other = decode_completion(old, 0), decode_completion(new, 0)
    return not there.whole or (there.logprob is None and other.logprob is not None)
