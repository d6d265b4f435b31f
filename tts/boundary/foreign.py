"""The stay in foreign code, during which it cannot end our process.

`os._exit` cannot be caught, so while a plugin is at work it is a function of ours, which raises `ProcessEnd` instead.
The mark is a context variable: it holds in the plugin's tasks and in threads that it starts or is given, not for
anybody else. A child process that the plugin has forked may end as it likes, and does so at the latest where it
would return to us: two processes in one store and on one stream are not what anybody wanted.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NoReturn

from tts.boundary.raised import ProcessEnd

_end, _begin = os._exit, threading.Thread.start
_log = logging.getLogger("tts")
_guest: ContextVar[int] = ContextVar("tts_guest", default=0)  # the process in which foreign code is at work, else 0


class Foreign:
    """`with Foreign():` around every call of code that is not ours. It catches nothing: `passes` says what may be."""

    __slots__ = ("_before", "_process")

    def __enter__(self) -> None:
        """From here on it is at work."""
        _occupy()
        self._process, self._before = os.getpid(), _guest.get()
        _guest.set(self._process)

    def __exit__(self, *_: object) -> None:
        """It has returned."""
        if os.getpid() != self._process:
            _end(0)
        _guest.set(self._before)


def at_work() -> bool:
    """Whether foreign code is at work in this task or thread."""
    return _guest.get() == os.getpid()


def _guarded(call: str, real: Callable[..., NoReturn]) -> Callable[..., NoReturn]:
    def ending(*status: Any, **more: Any) -> NoReturn:
        if at_work():
            raise ProcessEnd(f"{call}({', '.join(map(repr, [*status, *more.values()]))})")
        real(*status, **more)

    return ending


def _start(thread: threading.Thread) -> None:
    """Start it; where foreign code does so, it is at work in there, too, however long that takes."""
    if at_work():
        run = thread.run

        def marked() -> None:
            _guest.set(os.getpid())
            try:
                run()
            except ProcessEnd as end:
                _log.warning("a plugin's thread %r called %s: it is over, the run goes on", thread.name, end.call)

        thread.run = marked  # type: ignore[method-assign]  # before 3.14 a thread inherits no context variable
    _begin(thread)


def _occupy() -> None:
    """Put ours in place of the real ones, the first time; they stay, for outside of foreign code they do the same."""
    global _occupied  # noqa: PLW0603 - the functions are the process's, and so is this
    if not _occupied:
        _occupied = True
        os._exit = _guarded("os._exit", _end)
        os.abort = _guarded("os.abort", os.abort)
        threading.Thread.start = _start  # type: ignore[method-assign,assignment]


_occupied = False
