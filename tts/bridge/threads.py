"""Worker threads that the end of the program does not wait for."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from tts.bridge.waits import waiting

P = ParamSpec("P")
T = TypeVar("T")
_MOST = 32  # threads of a loop, as Python's own


class Threads(ThreadPoolExecutor):
    """An event loop's executor on daemon threads: one that hangs holds up neither Ctrl-C nor the end of the program.

    Python's own are waited for, whatever they do.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # which starts none: `submit` is another
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._running: list[threading.Thread] = []
        self._free, self._guard, self._over = 0, threading.Lock(), False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a thread call it; one more is started where none is free."""
        future: Future[T] = Future()
        with self._guard:
            if self._over:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._free > 0 or len(self._running) >= _MOST:
                self._free -= 1
            else:
                thread = threading.Thread(target=self._work, name="tts-worker", daemon=True)
                self._running.append(thread)
                thread.start()
            self._tasks.put((future, lambda: fn(*args, **kwargs)))
        return future

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            _settle(*task)
            del task
            with self._guard:
                self._free += 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - Python's signature
        """Take no more work; each thread ends after what it does, and `wait` waits for that."""
        self.ended(None if wait else 0.0)

    def ended(self, seconds: float | None) -> list[threading.Thread]:
        """Take no more work and wait so long for the threads; returns those that still run."""
        with self._guard:
            self._over = True
            for _ in self._running:
                self._tasks.put(None)
        until = None if seconds is None else time.monotonic() + seconds
        for thread in self._running:
            thread.join(None if until is None else max(until - time.monotonic(), 0.0))
        return [thread for thread in self._running if thread.is_alive()]


async def in_thread(what: str, work: Callable[[], T], *, idle: bool = False) -> T:
    """What `work` returns on a daemon thread of its own; who is cancelled does not wait for its end.

    `what` is what is waited for meanwhile, in words.
    """
    future: Future[T] = Future()

    def call() -> None:
        with waiting(what, idle=idle):
            _settle(future, work)

    threading.Thread(target=call, name="tts-wait", daemon=True).start()
    return await asyncio.wrap_future(future)


def _settle(future: Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except StopIteration as error:  # the one that no future of asyncio takes
        future.set_exception(RuntimeError(f"it raised StopIteration: {error}"))
    except BaseException as error:  # who waits must hear of it, whatever it is
        future.set_exception(error)
    else:
        future.set_result(result)
