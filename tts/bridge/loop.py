"""A coroutine from synchronous code: in scripts as well as inside a running event loop (a notebook)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from tts.boundary.foreign import at_work
from tts.boundary.program import kept
from tts.boundary.raised import did, passes
from tts.bridge.left import PATIENCE, end
from tts.bridge.threads import Threads
from tts.vocabulary.errors import PluginWarning, TTSError

T = TypeVar("T")
_log = logging.getLogger("tts")


def run_sync(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end: on this thread, or on one of its own where a loop is running here.

    Ctrl-C cancels the coroutine, waits until it has cleaned up, and raises `KeyboardInterrupt`. Tasks and threads that
    it has left behind are waited for, but not for ever.
    """
    if not _loop_is_running():
        return run_bounded(make())  # outside the `except`, or every error would seem to come of that one
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


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def run_bounded(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, but tasks and worker threads that do not end are left behind, with a warning.

    `asyncio.run` waits for them for ever, so that one strategy's stray task would cost the results of all others.
    """
    runner = asyncio.Runner()  # it sees to Ctrl-C; its `close` is what waits for ever
    try:
        loop = runner.get_loop()
        loop.set_default_executor(threads := Threads())
        loop.set_task_factory(_contained)  # type: ignore[arg-type]  # typeshed wants a generator, too
        try:
            return _to_its_end(runner, main)
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


def _to_its_end(runner: asyncio.Runner, main: Coroutine[Any, Any, T]) -> T:
    """As `runner.run`, but a loop that foreign code has stopped goes on, and what it did to the program is undone."""
    task: asyncio.Task[T] | None = None

    async def first() -> T:
        nonlocal task
        task = asyncio.current_task()
        return await main

    async def rest(task: asyncio.Task[T]) -> T:
        return await task

    changes: list[str] = []
    try:
        with kept() as changes:
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
            warnings.warn(f"a plugin {' and '.join(changes)}; that was undone", PluginWarning, stacklevel=4)


def _contained(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
    if not at_work():
        return asyncio.Task(coroutine, loop=loop, **more)
    around: Any = _without_ends(coroutine)
    around.__qualname__ = getattr(coroutine, "__qualname__", "")
    task: asyncio.Task[Any] = asyncio.Task(around, loop=loop, **more)
    task.add_done_callback(lambda _: coroutine.close())  # one that is cancelled at once never got to it
    return task


async def _without_ends(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine of a plugin's returns; out of a task some exceptions would end the loop for all."""
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        if passes(error):
            raise
        raise RuntimeError(f"it {did(error)}") from error
