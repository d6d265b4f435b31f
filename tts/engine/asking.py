"""One call of a scorer or of a judge that is an object: within its limiter, checked, timed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from tts.boundary.raised import shown
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
        said = shown(answers, 200)
        raise BackendError(f"{model.reference!r} returned {said}; it must return {count} tts.{kind.__name__}")
    return [_checked(answer, model).model_copy(update={"usage": answer.usage.took(seconds)}) for answer in answers]


def _checked(answer: Answer, model: Loaded) -> Answer:
    """The same; it may have been made without pydantic's checks."""
    kind = type(answer)
    try:
        return kind.model_validate(vars(answer))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        what = f"{field} is {shown(first.get('input'))}: {first['msg']}"
        raise BackendError(f"{model.reference!r} returned a {kind.__name__} whose {what}") from error
