"""What is under way at one server, which ends where the server is there no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

_RECENT = 30.0  # seconds for which bytes show that a model is at work


class Vigil:
    """The requests at a server; one that sends nothing for `silence` seconds is asked whether it is there.

    A server that went without a word (its machine is off, its process stands still) leaves its connections open, and
    who waits for an answer would wait for as long as a whole request may take.
    """

    def __init__(
        self, silence: float | None, is_there: Callable[[], Awaitable[bool]], gone: Callable[[], None]
    ) -> None:
        self._silence, self._is_there, self._gone = silence, is_there, gone
        self._waiting: dict[asyncio.Task[Any], None] = {}
        self._lost: set[asyncio.Task[Any]] = set()
        self._watch: asyncio.Task[None] | None = None
        self.heard = self.streamed = 0.0  # when it last sent anything, and a piece of an answer (monotonic seconds)

    def __len__(self) -> int:
        return len(self._waiting)

    def sent(self) -> None:
        """The server has sent a piece of an answer."""
        self.heard = self.streamed = time.monotonic()

    def request(self) -> Request:
        """One request, as a context manager around it: `asyncio.CancelledError` becomes `Request.lost`."""
        return Request(self)

    def streams(self) -> bool:
        """Whether pieces of answers are coming."""
        return time.monotonic() - self.streamed < _RECENT

    def begin(self, task: asyncio.Task[Any]) -> None:
        """Somebody waits for an answer."""
        if not self._waiting:
            self.heard = time.monotonic()
        self._waiting[task] = None
        if self._silence is not None and (self._watch is None or self._watch.done()):
            self._watch = asyncio.get_running_loop().create_task(self._look(self._silence))

    def over(self, task: asyncio.Task[Any]) -> bool:
        """Nobody waits any more; whether the server was lost before it had answered."""
        self._waiting.pop(task, None)
        lost = task in self._lost
        self._lost.discard(task)
        return lost

    async def aclose(self) -> None:
        """Look no more."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _look(self, silence: float) -> None:
        failed = 0
        while self._waiting:
            await asyncio.sleep(max(silence / 4, 0.05))
            if not self._waiting or time.monotonic() - self.heard < silence:
                failed = 0
                continue
            if await self._is_there():
                self.heard, failed = time.monotonic(), 0
                continue
            failed += 1
            if failed > 1 and time.monotonic() - self.heard >= silence:
                self._lose()
                return

    def _lose(self) -> None:
        self._gone()
        for task in list(self._waiting):
            self._lost.add(task)
            task.cancel()


class Request:
    """One request on its way; `lost` says that its server was lost meanwhile."""

    def __init__(self, vigil: Vigil) -> None:
        self._vigil, self.lost = vigil, False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._vigil.begin(task)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        lost = self._vigil.over(self._task)
        if kind is asyncio.CancelledError and lost and self._task.uncancel() <= self._cancelling:
            self.lost = True
            return True
        return False
