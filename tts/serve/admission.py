"""The door: so many requests at once, so many that wait, no more."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tts.serve.failure import Failure

_REMEMBERED = 64


class Admission:
    """Places for requests; who finds neither one nor room to wait is refused."""

    def __init__(self, requests: int, queue: int) -> None:
        self._most, self._queue = requests, queue
        self.inside: int = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._took: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not one.done() for one in self._waiting)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place, for as long as the block lasts; raises `Failure` (429) where there is no room to wait for one."""
        await self._enter()
        began = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._took.append(asyncio.get_running_loop().time() - began)
            self._leave()

    async def _enter(self) -> None:
        if self.inside < self._most:
            self.inside += 1
            return
        if self.waiting >= self._queue:
            seconds = self._soon()
            message = (
                f"{self.inside} requests are being answered and {self.waiting} wait, which is all there is room for; "
                f"try again in {seconds} s"
            )
            raise Failure(429, message, kind="rate_limit_error", code="queue_full", retry_after=seconds)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # the place came at the same moment
            raise

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the place goes on
                return
        self.inside -= 1

    def _soon(self) -> int:
        """Seconds until there may be room: what those before need, in turns."""
        mean = sum(self._took) / len(self._took) if self._took else 1.0
        return max(1, min(600, math.ceil(mean * (1 + self.waiting / self._most))))
