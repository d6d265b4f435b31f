"""What a fingerprint must follow: the options that change answers, or else the model or the code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tts.registry.code import other_sources
from tts.vocabulary.errors import BackendError

Make = Callable[[], Any]
Ask = Callable[[Any], Awaitable[Any]]
Same = Callable[[Any, Any], bool]
_ANOTHER = "another model"
_MOST = 12  # variations that are made of one plugin
_SECONDS = 5.0  # after which no more are made, once one has shown that the fingerprint follows something


class _Said(NamedTuple):
    """One of the kind: what it was made with, its fingerprint, and what it answers (`None` where it cannot)."""

    cls: type
    fingerprint: str | None
    answer: Any


def fingerprint_follows(make: Make, ask: Ask, same: Same) -> None:
    """Raise `AssertionError` for a fingerprint that is the same whatever the plugin is.

    `ask` asks a plugin, `same` says whether two answers are equal. What cannot be told, such as whether it follows
    weights of which there is one kind only, is believed.
    """
    said = _said(make, ask)
    if said.fingerprint is None:
        return  # the library makes one, from code, model and options
    with other_sources(), _watched(said.cls) as calls:
        follows = _said(make, None).fingerprint != said.fingerprint
    made = _made(said.cls, calls)
    tried = vars(said.cls).get("fingerprint") == said.fingerprint
    began = time.monotonic()
    for what, variation in _variations(made) if made is not None else ():
        other = None
        with suppress(Exception):  # a plugin may refuse what it likes
            other = _said(variation, ask)
        if other is None:
            continue
        tried = tried or what == _ANOTHER
        follows = follows or other.fingerprint != said.fingerprint
        _still_answers_alike(said, other, what, same)
        if follows and time.monotonic() - began > _SECONDS:
            break
    assert follows or not tried, (
        f"the fingerprint {said.fingerprint!r} is the same with other options, another model and other code, so what "
        "an earlier version said would be taken for this one's; leave it out, and the library makes one, or make it "
        "from tts.code_of(type(self), model, options)"
    )


def _still_answers_alike(said: _Said, other: _Said, what: str, same: Same) -> None:
    if other.fingerprint == said.fingerprint and None not in (said.answer, other.answer):
        assert same(said.answer, other.answer), (
            f"with {what} it answers otherwise, and its fingerprint is {said.fingerprint!r} as before: what was stored "
            "with the one would be taken for the other's. Put into it whatever changes the answers"
        )


def literal_is_refused(plugin: object, kind: str) -> None:
    """Raise `AssertionError` where a plugin that may do without has a fingerprint that does not follow its code."""
    own = vars(type(plugin)).get("fingerprint")
    if isinstance(own, str) and own:
        raise AssertionError(
            f"the {kind}'s fingerprint is always {own!r}, also when its code changes; leave it out, and the library "
            "goes by the code"
        )


def _said(make: Make, ask: Ask | None) -> _Said:
    async def main() -> _Said:
        one = make()
        try:
            answer = None
            if ask is not None:
                with suppress(BackendError):
                    answer = await ask(one)
            return _Said(type(one), getattr(one, "fingerprint", None) or None, answer)
        finally:
            await one.aclose()

    return asyncio.run(main())


class _Made(NamedTuple):
    """What a plugin was made with: `cls(model, options)`."""

    cls: type
    model: str
    options: BaseModel


def _made(cls: type, calls: Sequence[tuple[Any, ...]]) -> _Made | None:
    """What was called, where it is `cls(model, options)`."""
    kind = getattr(cls, "Options", None)
    for given in calls:
        if len(given) == 2 and isinstance(given[0], str) and isinstance(kind, type) and isinstance(given[1], kind):
            return _Made(cls, given[0], given[1])  # type: ignore[arg-type]  # options are a model of pydantic's
    return None


@contextmanager
def _watched(cls: type) -> Iterator[list[tuple[Any, ...]]]:
    """The arguments with which instances of a class are made meanwhile."""
    calls: list[tuple[Any, ...]] = []
    real: Any = vars(cls).get("__init__", cls.__init__)  # type: ignore[misc]  # the class's own, or inherited

    def init(self: Any, *args: Any, **named: Any) -> None:
        if type(self) is cls:
            calls.append((*args, *named.values()))
        real(self, *args, **named)

    own = vars(cls).get("__init__")
    try:
        type.__setattr__(cls, "__init__", init)  # for a moment
    except (AttributeError, TypeError):
        yield calls
        return
    try:
        yield calls
    finally:
        if own is None:
            type.__delattr__(cls, "__init__")
        else:
            type.__setattr__(cls, "__init__", own)


def _variations(made: _Made) -> Iterator[tuple[str, Make]]:
    """One with another model's name, then those that have another value of one option."""
    cls, model, options = made
    yield _ANOTHER, lambda: cls(f"{model}-other", options)
    fields = type(options).model_fields
    others = [(name, value) for name in fields for value in _others(fields[name].annotation, getattr(options, name))]
    for name, value in others[:_MOST]:
        with suppress(ValidationError):
            other = type(options).model_validate({**options.model_dump(), name: value})
            yield f"{name}={value!r}", partial(cls, model, other)


def _others(annotation: Any, value: Any) -> list[Any]:
    """Other values than this one, which an option may take or refuse."""
    if get_origin(annotation) is Literal:
        return [one for one in get_args(annotation) if one != value][:2]
    if value is None:
        return [64] if int in get_args(annotation) else []
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, float):
        return [value / 2 + 0.01]
    return [f"{value}-other"] if isinstance(value, str) else []
