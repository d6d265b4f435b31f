"""The completions of one draw, which several strategies share.

They arrive in any order, everyone who needs them looks on, and what nobody waits for is cancelled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Self

from tts.bridge.left import end
from tts.engine.draws import Draw, Drawer, together
from tts.engine.limiter import Priority
from tts.store.candidate import candidate_of
from tts.vocabulary.errors import BackendError
from tts.vocabulary.records import Candidate, Completion, Usage

STEP = 60.0  # seconds in which a request that is cancelled must have ended: a model may have to end a step


class Pool:
    """The completions of one draw, shared by all who need them.

    `fixed` are candidates that are there from the start (a stored set). `notify` hears of each arrival: what has come,
    whether it was stored, and how many seconds after it was asked for.
    """

    def __init__(
        self,
        drawer: Drawer,
        draw: Draw | None,
        priority: Priority,
        *,
        fixed: Iterable[Candidate] = (),
        notify: Callable[[Candidate, bool, float], None] = lambda _candidate, _stored, _seconds: None,
    ) -> None:
        self.draw: Draw | None = draw
        self.key: str = draw.key(drawer.store) if draw else ""
        self.priority: Priority = priority
        self._drawer, self._notify = drawer, notify
        self.arrived: list[Candidate] = list(fixed)
        self._here = {candidate.index for candidate in self.arrived}
        self._asked = dict.fromkeys(self._here, 0.0)  # by index, when (monotonic seconds)
        self._next: list[int] = []  # asked for, but not yet by a pump
        self.failure: BaseException | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._pumps: list[asyncio.Task[None]] = []
        self._stored: dict[int, Completion] | None = None
        self.lacking: frozenset[int] = frozenset()  # stored, but broken off, or without log-probabilities
        self._closing = False
        self._ending = asyncio.Lock()
        self.cancelled: Usage = Usage()  # of completions that were cut short because nobody needed them any more
        self.began: float | None = None  # when the model first took it up (monotonic seconds)
        self.users = 0  # problems that hold it
        self.tell: Callable[[str], None] | None = None  # who reads the first completion while it is written

    @property
    def share(self) -> tuple[str, bool]:
        """What those who share it agree in: the draw, and whether log-probabilities come with it."""
        return self.key, self.draw is not None and self.draw.sampling.logprobs

    def let_tell(self, tell: Callable[[str], None] | None) -> None:
        """Have the first completion told while it is written, unless it is on its way already."""
        if 0 not in self._asked:
            self.tell = tell

    def ensure(self, n: int) -> None:
        """See to it that indices below `n` are there or on their way."""
        missing = [index for index in range(n) if index not in self._asked]
        if missing:
            assert self.draw is not None, "a fixed set cannot grow; the engine checks k before"
            self._asked.update(dict.fromkeys(missing, time.monotonic()))
            if not self._next:
                self._pumps.append(asyncio.create_task(self._pump(self.draw)))
            self._next += missing

    async def _take_stored(self, draw: Draw, indices: Iterable[int]) -> list[int]:
        if self._stored is None:
            store = self._drawer.store
            stored = await store.read(lambda: store.completions(self.key)) if store else {}
            self._stored = {index: one for index, one in stored.items() if self.will_do(one)}
            self.lacking = frozenset(stored.keys() - self._stored.keys())
            if store:
                store.put_problem(draw.problem)
                store.put_draw(self.key, draw.problem, draw.role, draw.model.fingerprint, draw.sampling, draw.messages)
        for index in indices:
            if index in self._stored:
                self.found(index, self._stored[index])
        return [index for index in indices if index not in self._stored]

    def will_do(self, completion: Completion) -> bool:
        """Whether a stored completion is what is asked for: whole, with log-probabilities where they are wanted."""
        measured = self.draw is not None and self.draw.sampling.logprobs
        return completion.whole and (completion.logprob is not None or not measured)

    def found(self, index: int, completion: Completion) -> None:
        """A completion is stored, by an earlier run or meanwhile by another process."""
        if self.draw is not None:
            self._drawer.origins.took(self.draw.model, completion)
        self.arrive(candidate_of(completion, index, self._drawer.extract), stored=True)

    async def _pump(self, draw: Draw) -> None:
        # What all strategies ask for in one turn of the loop becomes one request, with one prefill.
        try:
            indices, self._next = self._next, []
            missing = await self._take_stored(draw, indices)
            width = draw.model.limiter.slots
            parts = [missing[start : start + width] for start in range(0, len(missing), width)]
            await together([self._drawer.draw(draw, part, self) for part in parts])
        except BaseException as error:
            foreign = isinstance(error, asyncio.CancelledError) and not _cancelling()
            self.failure = BackendError(f"{draw.model.reference!r} cancelled its own request") if foreign else error
            self._wake()
            if not (foreign or isinstance(error, Exception)):
                raise

    def begin(self) -> None:
        """The model takes it up."""
        self.began = self.began or time.monotonic()

    def lost(self, usage: Usage) -> None:
        """What a completion had cost when it was cut short."""
        if self._closing:  # else it is a request that failed and is tried again
            self.cancelled += usage

    def arrive(self, candidate: Candidate, *, stored: bool = False) -> None:
        """A completion is there; who waits for it hears of it. What `notify` raises is the pool's failure."""
        if candidate.index in self._here:  # cut short, asked for again, and stored all the same
            return
        self._here.add(candidate.index)
        self.arrived.append(candidate)
        try:
            now = time.monotonic()
            self._notify(candidate, stored, now - self._asked.get(candidate.index, now))
        except Exception as error:
            self.failure = self.failure or error
        self._wake()

    def _wake(self) -> None:
        waiting = []
        for count, waiter in self._waiters:
            if waiter.done():
                continue
            if self.failure is not None or count <= len(self.arrived):
                waiter.set_result(None)
            else:
                waiting.append((count, waiter))
        self._waiters = waiting

    async def wait(self, count: int) -> None:
        """Until so many have arrived in all, or the draw has failed."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((count, waiter))
        await waiter

    def stream(self, n: int) -> Arrivals:
        """Candidates with an index below `n` in order of arrival."""
        self.ensure(n)
        return Arrivals(self, n)

    async def take(self, n: int) -> list[Candidate]:
        """The first `n` in index order, once all are there; raises what the draw raised."""
        self.ensure(n)
        while len(found := [candidate for candidate in self.arrived if candidate.index < n]) < n:
            if self.failure is not None:
                raise self.failure
            await self.wait(len(self.arrived) + n - len(found))
        return sorted(found, key=lambda candidate: candidate.index)

    async def cancel(self) -> None:
        """Cancel what is still on its way; it is drawn anew if somebody asks again."""
        async with self._ending:  # cancelled a second time a model could not tell what the first has cost
            await self._cancel()

    async def _cancel(self) -> None:
        running = [pump for pump in self._pumps if not pump.done()]
        self._closing = True
        if running and self.draw is not None:
            model = self.draw.model
            model.limiter.calls.left(await end(running, f"a request of {model.reference!r}", STEP))
        if self._waiters:  # a pump that was cancelled before it began has told nobody
            self.failure = self.failure or BackendError("what was waited for was cancelled")
            self._wake()
            await asyncio.sleep(0)  # they look at the failure before it is forgotten
        self._closing, self._pumps, self._next, self.failure = False, [], [], None
        self._asked = {index: self._asked.get(index, 0.0) for index in self._here}


class Arrivals:
    """An async iterator over a pool; a cancelled `anext` (a timeout) loses nothing."""

    def __init__(self, pool: Pool, n: int) -> None:
        self._pool, self._n = pool, n
        self._position = self._yielded = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Candidate:
        while self._yielded < self._n:
            if self._position < len(self._pool.arrived):
                candidate = self._pool.arrived[self._position]
                self._position += 1
                if candidate.index < self._n:
                    self._yielded += 1
                    return candidate
            elif self._pool.failure is not None:
                raise self._pool.failure
            else:
                await self._pool.wait(self._position + 1)
        raise StopAsyncIteration


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
