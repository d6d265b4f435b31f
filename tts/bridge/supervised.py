"""Calls of somebody's synchronous code that may never return."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_TICK = 1.0
_SIGNAL = getattr(signal, "SIGVTALRM", None)  # one that nobody uses
_MAIN = threading.main_thread()


class Hung(Exception):  # noqa: N818 - it says what happened
    """Code has neither returned nor raised in time; it was broken off."""


class _Call:
    """One call that is under way."""

    __slots__ = ("thread", "told", "until")

    def __init__(self, seconds: float) -> None:
        self.thread = threading.get_ident()
        self.until = time.monotonic() + seconds
        self.told = False


_calls: dict[_Call, float] = {}  # with how often to look at it
_asked: list[Callable[[], bool]] = []  # what the handler of the signal asks before it raises
_guard = threading.Lock()
_looking: threading.Thread | None = None


def supervised(work: Callable[[], T], seconds: float) -> T:
    """What `work` returns; raises `Hung` where it takes longer.

    It runs on the thread of the caller, since code may want the main one. There a signal breaks off whatever heeds
    signals, also a sleep; and a timer of the system, a pattern that backtracks, which lets no other thread run. On
    others code in Python is broken off at its next step.
    """
    call = _Call(seconds)
    ready()
    _calls[call] = min(seconds / 4, _TICK)
    _look()
    timed = _reached(call.thread)
    if timed:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)  # of processor time, so no later than that
    try:
        return work()
    finally:
        _calls.pop(call, None)
        if timed:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if call.told and call.thread != _MAIN.ident:
            _raise_in(call.thread, None)  # it may just have returned by itself


def ready() -> None:
    """Let `interrupt` reach the main thread, where this is that one and nobody else has taken the signal."""
    if _SIGNAL is not None and threading.current_thread() is _MAIN and signal.getsignal(_SIGNAL) is signal.SIG_DFL:
        signal.signal(_SIGNAL, _handle)


def interrupt(thread: int, still: Callable[[], bool]) -> None:
    """Raise `Hung` in what a thread runs; on the main one only if `still` holds at that moment."""
    if thread != _MAIN.ident:
        _raise_in(thread, Hung)
    elif _SIGNAL is not None and _reached(thread):
        _asked.append(still)
        signal.pthread_kill(thread, _SIGNAL)


def _reached(thread: int) -> bool:
    """Whether the signal reaches a thread."""
    return thread == _MAIN.ident and _SIGNAL is not None and signal.getsignal(_SIGNAL) is _handle


def _handle(_number: int, _frame: object) -> None:
    over = any(still() for still in _asked)
    _asked.clear()
    for call in [one for one in list(_calls) if one.thread == _MAIN.ident]:
        if time.monotonic() < call.until:  # several threads use up processor time sooner
            signal.setitimer(signal.ITIMER_VIRTUAL, max(call.until - time.monotonic(), 0.01))
        else:
            over = True
    if over:
        raise Hung("it was broken off: it has not returned in time")


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error) if error else None)


def _look() -> None:
    global _looking  # noqa: PLW0603 - one thread for all
    if _looking is None or not _looking.is_alive():  # a fork has none
        with _guard:
            _looking = threading.Thread(target=_watch, name="tts-supervisor", daemon=True)
            _looking.start()


def _watch() -> None:
    idle_since = time.monotonic()
    while _calls or time.monotonic() - idle_since < 60:
        now = time.monotonic()
        for call in list(_calls):
            idle_since = now
            if now >= call.until and not call.told:
                call.told = True
                interrupt(call.thread, lambda call=call: call in _calls)  # type: ignore[misc]
        time.sleep(min(list(_calls.values()), default=_TICK))
