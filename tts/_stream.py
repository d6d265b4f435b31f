"""Many works in flight, results as they are ready: the engine's loop, which knows nothing of models or strategies."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar

W = TypeVar("W")
T = TypeVar("T")
CHUNK = 64  # works read from a source at a time
CHUNK_SECONDS = 0.02


async def stream(
    works: Iterable[W], decide: Callable[[W, int], Awaitable[T]], *, in_flight: int
) -> AsyncGenerator[T, None]:
    """Run `decide(work, its order)` on each work, `in_flight` at a time, and yield what is ready.

    Raises what `decide` or the source raises. Leaving early cancels and awaits what still runs.
    """
    ready: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    waiting: deque[W] = deque()
    running: set[asyncio.Task[None]] = set()
    source, reading, order = iter(works), False, 0

    async def one(work: W, order: int) -> None:
        try:
            ready.put_nowait(("done", await decide(work, order)))
        except Exception as error:
            ready.put_nowait(("raised", error))

    try:
        started, exhausted = 0, False
        while True:
            while waiting and started < in_flight:
                task = asyncio.create_task(one(waiting.popleft(), order))
                running.add(task)
                task.add_done_callback(running.discard)
                order, started = order + 1, started + 1
            if not waiting and not exhausted and not reading:
                reading = True
                _read_chunk(source, ready, asyncio.get_running_loop())
            if not started and not reading:
                return
            kind, value = await ready.get()
            if kind == "raised":
                raise value
            if kind == "chunk":
                reading, exhausted = False, not value
                waiting.extend(value)
            else:
                started -= 1
                yield value
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _read_chunk(source: Iterator[W], ready: asyncio.Queue[tuple[str, Any]], loop: asyncio.AbstractEventLoop) -> None:
    """Read some works on a thread of its own and put them into `ready`; an empty chunk is the end.

    A daemon thread, not the loop's executor: a source that waits (stdin, a hub stream) must not hold up Ctrl-C.
    """

    def read() -> None:
        chunk: list[W] = []
        until = time.monotonic() + CHUNK_SECONDS
        message: tuple[str, Any] = ("chunk", chunk)
        try:
            for work in source:
                chunk.append(work)
                if len(chunk) >= CHUNK or time.monotonic() > until:
                    break
        except BaseException as error:
            message = ("raised", error)
        try:
            loop.call_soon_threadsafe(ready.put_nowait, message)
        except RuntimeError:
            return  # the loop is gone: the run was stopped

    threading.Thread(target=read, name="tts-source", daemon=True).start()
