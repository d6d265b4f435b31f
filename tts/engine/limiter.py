"""A limiter with priority: the requests of one model, best first.

First in, first out would be a barrier by another name: the aggregation of the first problem would wait behind the
sampling of the last.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools

from tts.engine.calls import Calls

Priority = tuple[int, int]  # (0 for aggregation, 1 for sampling; problem order)


def rank(priority: Priority) -> int:
    """The priority as one number, for engines that have a queue of their own; lower goes first."""
    return priority[0] << 32 | priority[1]


class Limiter:
    """`slots` completions at a time; those who wait are served by priority, equal ones in order of asking.

    `calls` are those that have their slots.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.calls: Calls = Calls()
        self._free = slots
        self._order = itertools.count()
        self._waiting: list[tuple[Priority, int, int, asyncio.Future[None]]] = []

    def __len__(self) -> int:
        """How many calls are under way or wait."""
        return len(self.calls) + len(self._waiting)

    async def acquire(self, n: int, priority: Priority) -> int:
        """Wait for `n` slots (all there are, where there are fewer) and return how many are held now."""
        n = min(n, self.slots)
        if not self._waiting and self._free >= n:
            self._free -= n
            return n
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), n, granted))
        try:
            await granted
        except BaseException:  # a coroutine that is closed gets GeneratorExit
            if granted.done() and not granted.cancelled():
                self.release(n)
            else:
                granted.cancel()
                self._grant()  # a wide request that gave up may have held back narrower ones
            raise
        return n

    def release(self, n: int) -> None:
        """Give `n` slots back."""
        self._free += n
        self._grant()

    def _grant(self) -> None:
        while self._waiting:
            _, _, n, granted = self._waiting[0]
            if granted.cancelled():
                heapq.heappop(self._waiting)
            elif self._free >= n:
                heapq.heappop(self._waiting)
                self._free -= n
                granted.set_result(None)
            else:
                return
