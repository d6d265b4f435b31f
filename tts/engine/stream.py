"""Many works in flight, results as they are ready: the engine's loop, which knows nothing of models or strategies."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from tts.bridge.left import end
from tts.bridge.waits import waiting
from tts.engine.pool import STEP

W = TypeVar("W")
T = TypeVar("T")
CHUNK = 64  # works read from a source at a time
CHUNK_SECONDS = 0.02


async def stream(
    works: Iterable[W], decide: Callable[[W, int], Awaitable[T]], *, in_flight: int
) -> AsyncGenerator[T, None]:
    """Run `decide(work, its order)` on each work, `in_flight` at a time, and yield what is ready.

    What `decide` raises is raised at once; what the source raises, after the works read before it are done. Leaving
    early cancels and awaits what still runs.
    """
    ready: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    waiting: deque[W] = deque()
    running: set[asyncio.Task[None]] = set()
    reader = _Reader(works, ready)
    order = started = 0
    failure: BaseException | None = None

    async def one(work: W, order: int) -> None:
        try:
            ready.put_nowait(("done", await decide(work, order)))
        except BaseException as error:
            ready.put_nowait(("raised", error))
            if not isinstance(error, Exception):
                raise

    def start_and_read() -> None:
        nonlocal order, started
        while waiting and started < in_flight:
            task = asyncio.create_task(one(waiting.popleft(), order))
            running.add(task)
            task.add_done_callback(running.discard)
            order, started = order + 1, started + 1
        if not waiting:
            reader.ask()

    try:
        start_and_read()
        while started or reader.reading:
            kind, value = await ready.get()
            if kind == "raised":
                raise value
            if kind == "done":
                started -= 1
                yield value
            else:
                works_read, failure = value
                waiting.extend(works_read)
                reader.heard(more=bool(works_read) and failure is None)
            start_and_read()
        if failure is not None:
            raise failure
    finally:
        reader.close()
        await end(set(running), "work on a problem", 2 * STEP)


class _Reader(Generic[W]):
    """Reads a source in chunks on a thread of its own, one chunk ahead.

    A daemon thread, not the loop's executor: a source that waits (stdin, a hub stream) must not hold up Ctrl-C. One
    thread for all chunks: a generator over a database connection is bound to it.
    """

    def __init__(self, works: Iterable[W], ready: asyncio.Queue[tuple[str, Any]]) -> None:
        self._works, self._ready, self._loop = works, ready, asyncio.get_running_loop()
        self._orders: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._exhausted = False
        self.reading = False

    def ask(self) -> None:
        """Have the next chunk read, unless that is under way or nothing is left."""
        if self.reading or self._exhausted:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tts-source", daemon=True)
            self._thread.start()
        self.reading = True
        self._orders.put(True)

    def heard(self, *, more: bool) -> None:
        """The chunk has arrived; there may be more."""
        self.reading, self._exhausted = False, not more

    def close(self) -> None:
        """End the thread when it has read its chunk; a generator is closed there."""
        self._orders.put(False)

    def _run(self) -> None:
        source: Iterator[W] | None = None
        while self._orders.get():
            chunk: list[W] = []
            error: BaseException | None = None
            until = time.monotonic() + CHUNK_SECONDS
            try:
                with waiting("the next problems of the source"):
                    source = iter(self._works) if source is None else source
                    for work in source:
                        chunk.append(work)
                        if len(chunk) >= CHUNK or time.monotonic() > until:
                            break
            except BaseException as raised:  # raised again in the stream
                error = raised
            try:
                self._loop.call_soon_threadsafe(self._ready.put_nowait, ("read", (chunk, error)))
            except RuntimeError:
                break  # the loop is gone: the run was stopped
        if isinstance(source, Generator):
            source.close()
