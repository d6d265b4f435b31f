"""What scorers, judges, graders have in common: they are made, asked from event loops, closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from tts.testing._trial import shortest_block
from tts.vocabulary.errors import BackendError

T = TypeVar("T")
BLOCK = 0.05  # seconds
PATIENCE = 10.0  # seconds in which an instance must have closed


class Closing(Protocol):
    """Anything that is closed when it has done its work."""

    async def aclose(self) -> None: ...


C = TypeVar("C", bound=Closing)
Make = Callable[[], C]


def asked(make: Make[C], ask: Callable[[C], Awaitable[T]]) -> T:
    """What one made for it answers; it is closed again."""

    async def main() -> T:
        one = make()
        try:
            return await ask(one)
        finally:
            await one.aclose()

    return asyncio.run(main())


def declared(make: Make[Any], kind: str) -> None:
    """It has `Options`, and two of it share their fingerprint, where it has one."""
    one, other = make(), make()
    options = getattr(type(one), "Options", None)
    advice = f"give it `Options = tts.NoOptions`, for a {kind} reference may have @option=value"
    assert isinstance(options, type), f"the class has no Options; {advice}"
    assert issubclass(options, BaseModel), f"Options is no pydantic model; {advice}"
    assert options.model_config.get("extra") == "forbid", (
        "Options ignores a misspelt option; derive it from tts.NoOptions"
    )
    own, others = getattr(one, "fingerprint", None), getattr(other, "fingerprint", None)
    assert own is None or isinstance(own, str), f"fingerprint is {own!r}; it must be a text"
    assert own != "", "fingerprint is empty; it must name whatever changes the outputs, or be left out"
    assert own == others, (
        f"two that are made alike have the fingerprints {own!r} and {others!r}; nothing "
        "that was stored would be found again. Make it from model, options and weights alone"
    )
    for made in (one, other):
        asyncio.run(made.aclose())


def blocks_no_loop(make: Make[C], ask: Callable[[C], Awaitable[Any]]) -> None:
    """Asking keeps the event loop from nothing else for more than 50 ms."""
    one = make()
    try:
        seconds = shortest_block(lambda: _awaited(ask(one)), BLOCK)
    finally:
        asyncio.run(one.aclose())
    assert seconds <= BLOCK, (
        f"it blocks the event loop for {seconds * 1000:.0f} ms, at most {BLOCK * 1000:.0f} are allowed; "
        "compute on a thread: await asyncio.to_thread(...)"
    )


async def _awaited(answer: Awaitable[T]) -> T:
    return await answer


def serves_two_loops(make: Make[C], ask: Callable[[C], Awaitable[Any]]) -> None:
    """An instance outlives an event loop: every run of the library may have its own."""
    one = make()
    try:
        for _ in range(2):
            asyncio.run(_awaited(ask(one)))
    except Exception as error:
        raise AssertionError(
            f"in a second event loop it raised {type(error).__name__}: {error}; bind no lock, queue or task to a loop "
            "in __init__"
        ) from error
    finally:
        asyncio.run(one.aclose())


def closes(make: Make[C], ask: Callable[[C], Awaitable[Any]]) -> None:
    """`aclose` ends, used or unused."""

    async def main() -> None:
        for use in (False, True):
            one = make()
            if use:
                await ask(one)
            try:
                await asyncio.wait_for(one.aclose(), PATIENCE)
            except TimeoutError:
                raise AssertionError(f"aclose() still runs after {PATIENCE:g} s") from None

    asyncio.run(main())


def answers_or_says_why(make: Make[C], ask: Callable[[C], Awaitable[T]], what: str) -> T | None:
    """The answer, or `None` where it raised the one error that it may."""
    try:
        return asked(make, ask)
    except BackendError:
        return None
    except Exception as error:
        raise AssertionError(
            f"{what}: it raised {type(error).__name__}: {error}; answer, or raise tts.BackendError that says why"
        ) from error
