"""Time for tests: waiting costs none of it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_GRACE = 0.001  # seconds of real time before a jump: a thread that is just ending its work is heard first


class VirtualClock:
    """An event loop on which `asyncio.sleep(3600)` takes an hour of its own time and none of yours.

        clock = tts.testing.VirtualClock()
        result = clock.run(main())
        assert clock.now == 3600

    Whenever nothing is left to do the clock jumps to what is due next. `now` is in seconds. It is for code on one
    thread: work on other threads or processes is waited for only where nothing else is due.
    """

    def __init__(self) -> None:
        self.now: float = 0.0

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """As `asyncio.run`, on this clock; several runs go on from one another."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(main)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._clock.now


class _Selector(selectors.DefaultSelector):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        found = super().select(min(timeout, _GRACE))
        if not found and timeout > 0:
            self._clock.now += timeout
        return found
