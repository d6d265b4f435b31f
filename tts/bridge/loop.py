"""A coroutine from synchronous code: in scripts as well as inside a running event loop (a notebook)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from tts.boundary.foreign import at_work
from tts.boundary.program import kept
from tts.boundary.raised import did, passes
from tts.vocabulary.errors import PluginWarning, TTSError

T = TypeVar("T")


def run_sync(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end: on this thread, or on one of its own where a loop is running here.

    Ctrl-C cancels the coroutine, waits until it has cleaned up, and raises `KeyboardInterrupt`.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(make)
    result: Future[T] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        return await make()

    def work() -> None:
        try:
            result.set_result(_run(main))
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


def _run(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """As `asyncio.run`, on a loop that foreign code cannot end for others.

    What ends a loop when a task raises it is wrapped in the plugin's own tasks, and a loop that was stopped goes on.
    """
    task: asyncio.Task[T] | None = None

    async def first() -> T:
        nonlocal task
        task = asyncio.current_task()
        asyncio.get_running_loop().set_task_factory(_contained)  # type: ignore[arg-type]  # typeshed wants a generator, too
        return await make()

    async def rest(task: asyncio.Task[T]) -> T:
        return await task

    changes: list[str] = []
    try:
        with kept() as changes, asyncio.Runner() as runner:
            try:
                return runner.run(first())
            except RuntimeError:
                while task is not None and not task.done():  # somebody has called the loop's stop()
                    with contextlib.suppress(RuntimeError):
                        return runner.run(rest(task))
                if task is None:
                    raise
                return task.result()
            except asyncio.CancelledError as error:
                raise TTSError(
                    "the run was cancelled from within: a plugin cancelled tasks that are not its own; "
                    "what is stored is kept, so the same call goes on"
                ) from error
    finally:
        if changes:
            warnings.warn(f"a plugin {' and '.join(changes)}; that was undone", PluginWarning, stacklevel=3)


def _contained(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
    return asyncio.Task(_without_ends(coroutine) if at_work() else coroutine, loop=loop, **more)


async def _without_ends(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine of a plugin's returns; out of a task some exceptions would end the loop for all."""
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        if passes(error):
            raise
        raise RuntimeError(f"it {did(error)}") from error
