"""A coroutine from synchronous code: in scripts as well as inside a running event loop (a notebook)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from tts.bridge.left import PATIENCE, end
from tts.bridge.threads import Threads

T = TypeVar("T")
_log = logging.getLogger("tts")


def run_sync(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end: on this thread, or on one of its own where a loop is running here.

    Ctrl-C cancels the coroutine, waits until it has cleaned up, and raises `KeyboardInterrupt`. Tasks and threads that
    it has left behind are waited for, but not for ever.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run_bounded(make())
    result: Future[T] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        return await make()

    def work() -> None:
        try:
            result.set_result(run_bounded(main()))
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


def run_bounded(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, but tasks and worker threads that do not end are left behind, with a warning.

    `asyncio.run` waits for them for ever, so that one strategy's stray task would cost the results of all others.
    """
    runner = asyncio.Runner()  # it sees to Ctrl-C; its `close` is what waits for ever
    try:
        loop = runner.get_loop()
        loop.set_default_executor(threads := Threads())
        try:
            return runner.run(main)
        finally:
            _end(loop, threads)
    finally:
        main.close()  # where there was no loop to be had


def _end(loop: asyncio.AbstractEventLoop, threads: Threads) -> None:
    try:
        running = asyncio.all_tasks(loop)
        if loop.run_until_complete(end(running, _named(running))):
            loop.set_exception_handler(lambda *_: None)  # their generators cannot be closed, and asyncio would tell
        with contextlib.suppress(TimeoutError):
            loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), PATIENCE))
        if left := threads.ended(PATIENCE):
            _log.warning("%d worker threads have not ended after %g s; left behind", len(left), PATIENCE)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _named(tasks: set[asyncio.Task[Any]]) -> str:
    """What tasks are, by the functions that they run."""
    names = sorted({getattr(task.get_coro(), "__qualname__", repr(task.get_coro())) for task in tasks})
    return f"{'a task' if len(tasks) == 1 else f'{len(tasks)} tasks'} of {', '.join(names[:5])}"
