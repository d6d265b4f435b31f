"""Code that is not ours, which may raise anything: whoever waits for it hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tts import BackendError

P = ParamSpec("P")
T = TypeVar("T")


def words(error: BaseException) -> str:
    """What an error says, also of one that cannot say it."""
    try:
        return str(error)
    except Exception as worse:
        return f"(its message raised {type(worse).__name__})"


def told(error: BaseException) -> str:
    """What kind of error it is and what it says, if anything."""
    said = words(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def backend_error(who: str, error: BaseException) -> BackendError:
    """The error where it is one of ours, else one that names who raised what."""
    if isinstance(error, BackendError):
        return error
    ours = BackendError(f"{who} raised {told(error)}")
    ours.__cause__ = error
    return ours


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`asyncio.to_thread` for what may raise `StopIteration`: no future of asyncio takes one, and who awaits hangs."""

    def call() -> T:
        try:
            return function(*args, **kwargs)
        except StopIteration as error:
            raise RuntimeError(f"it raised {told(error)}") from error

    return await asyncio.to_thread(call)
