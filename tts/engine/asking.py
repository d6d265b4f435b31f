"""One call of a scorer or of a judge that is an object: within its limiter, checked, timed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from tts.engine.limiter import Priority
from tts.engine.models import Loaded
from tts.vocabulary.errors import BackendError
from tts.vocabulary.records import Score, Verdict

Answer = TypeVar("Answer", Score, Verdict)


async def asked(
    model: Loaded, kind: type[Answer], count: int, priority: Priority, ask: Callable[[], Awaitable[Any]]
) -> Sequence[Answer]:
    """What `ask` says, `count` answers of one kind, each with its share of the seconds that the call took.

    Raises `BackendError` where it says something else, `BackendTimeout` where it says nothing for too long.
    """
    held = await model.limiter.acquire(count, priority)
    started = time.monotonic()
    try:
        answers = await model.limiter.calls.ask(repr(model.reference), ask)
    finally:
        model.limiter.release(held)
    seconds = (time.monotonic() - started) / count
    if not isinstance(answers, list | tuple) or len(answers) != count or not all(isinstance(a, kind) for a in answers):
        raise BackendError(f"{model.reference!r} returned {answers!r:.200}; it must return {count} tts.{kind.__name__}")
    return [answer.model_copy(update={"usage": answer.usage.took(seconds)}) for answer in answers]
