"""The bridge from the synchronous face to the engine: works in scripts and inside a running event loop (a notebook)."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

from tts.engine.models import ModelKey, ModelPool

T = TypeVar("T")

# Models stay loaded between calls, so that a second `tts.solve` does not load 7B parameters again.
_models = ModelPool()
_users: Counter[ModelKey] = Counter()
_lock = threading.Lock()


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
        loop, task = started.result()
        with contextlib.suppress(RuntimeError):  # the loop may just have closed by itself
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise


class WarmModels:
    """The models of the synchronous face while one call uses them.

    Models that no call uses are closed first, so that changing the model does not keep two in memory.
    """

    def __init__(self, references: set[tuple[Any, str]]) -> None:
        _close_at_exit()
        self._wanted = {_models.check(kind, text) for kind, text in references}

    async def __aenter__(self) -> ModelPool:
        with _lock:
            _users.update(self._wanted)
            used = {key for key, count in _users.items() if count > 0}
        await _models.keep_only(used)
        return _models

    async def __aexit__(self, *_: object) -> None:
        with _lock:
            _users.subtract(self._wanted)


def _close_models() -> None:
    """Give models a chance to clean up at exit; the interpreter has no worker threads any more, so much may fail."""
    with contextlib.suppress(Exception):
        logging.getLogger("tts").setLevel(logging.CRITICAL)
        asyncio.run(_models.keep_only(()))


@cache
def _close_at_exit() -> None:
    atexit.register(_close_models)
