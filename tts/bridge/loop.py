"""A coroutine from synchronous code: in scripts as well as inside a running event loop (a notebook)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


def run_sync(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end: on this thread, or on one of its own where a loop is running here.

    Ctrl-C cancels the coroutine, waits until it has cleaned up, and raises `KeyboardInterrupt`.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    result: Future[T] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        return await make()

    def work() -> None:
        try:
            result.set_result(asyncio.run(main()))
        except BaseException as error:
            started.cancel()  # where there was no loop to be had
            result.set_exception(error)

    thread = threading.Thread(target=work, name="tts-sync", daemon=True)
    thread.start()
    try:
        while not result.done():
            concurrent.futures.wait([result], timeout=0.2)
            outer = asyncio.current_task()
            # Under `asyncio.run` the first Ctrl-C only cancels the task that we block.
            if outer is not None and outer.cancelling():
                raise KeyboardInterrupt
        return result.result()
    except KeyboardInterrupt:
        with contextlib.suppress(RuntimeError, concurrent.futures.CancelledError):  # the loop may have closed by itself
            loop, task = started.result()
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
