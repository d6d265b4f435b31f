"""The stay in foreign code, during which it cannot end our process.

`os._exit` cannot be caught, so while a plugin is at work it is a function of ours, which raises `ProcessEnd` instead.
The mark is a context variable: it holds in the plugin's tasks and in threads that `asyncio.to_thread` gives it, not
for anybody else. A child process that the plugin has forked may end as it likes, and does so at the latest where it
would return to us: two processes in one store and on one stream are not what anybody wanted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NoReturn

from tts.boundary.raised import ProcessEnd

_end = os._exit
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


def _occupy() -> None:
    """Put ours in place of the real ones, the first time; they stay, for outside of foreign code they do the same."""
    global _occupied  # noqa: PLW0603 - the functions are the process's, and so is this
    if not _occupied:
        _occupied = True
        os._exit = _guarded("os._exit", _end)
        os.abort = _guarded("os.abort", os.abort)


_occupied = False
