"""An event loop on a thread of its own: an engine belongs to one loop, while its requests come from any."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

from tts import BackendError
from tts_backends.foreign import backend_error

T = TypeVar("T")

_LAST_SECONDS = 30.0  # for what is cancelled at the end to clean up
_log = logging.getLogger("tts")


class LoopThread:
    """Runs coroutines for callers of other threads, until it is stopped.

    Every future that it gives is done in the end: one task that asks the interpreter to exit ends neither the loop nor
    the program, and what refuses to be cancelled is given up.
    """

    def __init__(self, name: str) -> None:
        self._name, self._stopping = name, False
        self._given: weakref.WeakSet[Future[Any]] = weakref.WeakSet()  # as long as somebody waits for them
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop; must not be called after `stop`."""
        if not self._thread.is_alive():
            work.close()
            raise BackendError(f"the thread {self._name!r} is not of this process, or has ended; load the model anew")
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        given: Future[T] = Future()
        self._given.add(given)
        running.add_done_callback(lambda _: self._hand_over(running, given))
        given.add_done_callback(lambda _: running.cancel() if given.cancelled() else None)
        return given

    def _hand_over(self, running: Future[T], given: Future[T]) -> None:
        with contextlib.suppress(InvalidStateError):  # nobody waits any more
            if running.cancelled():
                given.set_exception(self._has_ended())
            elif (error := running.exception()) is None:
                given.set_result(running.result())
            else:  # SystemExit would end the loop, or the program, of who waits
                given.set_exception(error if isinstance(error, Exception) else backend_error(self._name, error))

    def _has_ended(self) -> BackendError:
        return BackendError(f"the thread {self._name!r} was stopped, or has ended, while it worked on this")

    def stop(self) -> None:
        """Cancel what still runs, end the loop and wait for its thread, which is left alone where it does not end."""
        if not self._loop.is_closed():
            self._stopping = True
            with contextlib.suppress(RuntimeError):  # it may just have closed
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2 * _LAST_SECONDS)
            if self._thread.is_alive():
                _log.warning("the thread %r does not end", self._name)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while not self._stopping:
                self._turn()
        finally:
            try:
                self._cancel_what_runs()
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            finally:
                for given in list(self._given):
                    with contextlib.suppress(InvalidStateError):
                        given.set_exception(self._has_ended())
                self._loop.close()

    def _turn(self) -> None:
        try:
            self._loop.run_forever()
        except (KeyboardInterrupt, SystemExit):  # of one task, which has it, too; the others go on
            _log.warning("a task of the thread %r asked for the end of the program", self._name, exc_info=True)

    def _cancel_what_runs(self) -> None:
        until = self._loop.time() + _LAST_SECONDS
        while (left := asyncio.all_tasks(self._loop)) and (seconds := until - self._loop.time()) > 0:
            for task in left:
                task.cancel()
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                self._loop.run_until_complete(asyncio.wait(left, timeout=min(seconds, 1.0)))
