"""What a backend gives for a request, checked against what it may give."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from typing import Any, get_args

from tts.boundary.raised import shown
from tts.contracts.models import Request
from tts.output.text import mended
from tts.vocabulary.errors import BackendError
from tts.vocabulary.records import Completion, FinishReason, Usage

_FIELDS: dict[str, Any] = {
    "index": int, "text": str, "thinking": str | None, "summary": str | None, "usage": Usage,
    "logprob": float | int | None, "error": str | None, "finish_reason": str,
}  # fmt: skip
_ENDS = frozenset(get_args(FinishReason))


def generator_of(given: Any, model: str) -> AsyncGenerator[Completion, None]:
    """What `generate` gave, where completions can be asked of it."""
    if hasattr(given, "__anext__") and hasattr(given, "aclose"):
        return given  # type: ignore[no-any-return]
    if inspect.iscoroutine(given):
        given.close()
    kind = type(given).__name__
    raise BackendError(f"{model!r} gave a {kind}; generate must be an async generator: `async def` with `yield`")


def as_stored(completion: Completion) -> Completion:
    """The same text as a store gives back: a prompt made of it must be the same in this run and the next."""
    texts = {name: text for name in ("text", "thinking", "summary") if (text := getattr(completion, name)) is not None}
    if all(text.isascii() for text in texts.values()):
        return completion
    return completion.model_copy(update={name: mended(text) for name, text in texts.items()})


def check_completion(completion: object, request: Request, seen: set[int], model: str) -> None:
    """Raise `BackendError` for what is none, or not what was asked for; its index is among those `seen` then."""
    if not isinstance(completion, Completion):
        raise BackendError(f"{model!r} yielded a {type(completion).__name__}; a backend yields tts.Completion")
    for field, allowed in _FIELDS.items():  # it may have been made without pydantic's checks
        value = getattr(completion, field, None)
        if not isinstance(value, allowed):
            raise BackendError(f"{model!r} yielded a completion whose {field} is {shown(value)}")
    if completion.finish_reason not in _ENDS:
        raise BackendError(f"{model!r} yielded a completion whose finish_reason is {shown(completion.finish_reason)}")
    if not 0 <= completion.index < request.n or completion.index in seen:
        raise BackendError(f"{model!r} yielded completion index {completion.index} twice or beyond n={request.n}")
    seen.add(completion.index)
