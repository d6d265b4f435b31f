"""The bridge from the synchronous face to the engine: works in scripts and inside a running event loop (a notebook)."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from tts._models import ModelPool

T = TypeVar("T")

# Models stay loaded between calls, so that a second `tts.solve` does not load 7B parameters again.
_models = ModelPool()
_active = 0
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
        return result.result()
    except KeyboardInterrupt:
        loop, task = started.result()
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise


class WarmModels:
    """The models of the synchronous face while one call uses them.

    Models that only earlier calls used are closed first, unless another call is running, so that changing the model
    does not keep two in memory.
    """

    def __init__(self, references: set[tuple[Any, str]]) -> None:
        self._references = references

    async def __aenter__(self) -> ModelPool:
        global _active  # noqa: PLW0603 - one count for the process
        wanted = {_models.check(kind, text) for kind, text in self._references}
        with _lock:
            _active += 1
            alone = _active == 1
        if alone:
            await _models.keep_only(wanted)
        return _models

    async def __aexit__(self, *_: object) -> None:
        global _active  # noqa: PLW0603 - one count for the process
        with _lock:
            _active -= 1


def _close_models() -> None:
    if len(_models):
        asyncio.run(_models.keep_only(set()))


atexit.register(_close_models)
