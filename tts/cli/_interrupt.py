"""Ctrl-C, which ends the command at once or soon, whatever it is doing."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tts.bridge.waits import waits

INTERRUPTED = 130  # what a shell reports for a command ended by Ctrl-C
GRACE = 5.0  # seconds to end in order: to close connections, to store what has just come
_AT_ONCE = 0.3  # seconds where nothing is at stake
_CURSOR = "\x1b[?25h"  # shown again: a progress bar hides it

_words: list[Callable[[], str]] = []  # what to say of the command, the innermost last
_said = threading.Event()  # the one line is out


def interrupted(say: Callable[[str], None], line: str | None = None) -> None:
    """Say the one line that ends the command, unless somebody has."""
    if not _said.is_set():
        _said.set()
        say(_sentence(line or (_words[-1]() if _words else "interrupted")))


def is_over() -> bool:
    """Whether the one line is out: nothing more is to be said."""
    return _said.is_set()


def _sentence(said: str) -> str:
    """What the command says of its end; where it has not begun, what it was waiting for."""
    idle = [wait.what for wait in waits() if wait.idle]
    return f"{said.partition(';')[0]} while waiting for {idle[0]}" if idle else said


def begin() -> None:
    """A command begins: nothing is said of its end yet."""
    _said.clear()


@contextmanager
def worded(words: Callable[[], str]) -> Iterator[None]:
    """Within it an interrupted command says this."""
    _words.append(words)
    try:
        yield
    finally:
        _words.pop()


def see_to_ctrl_c(say: Callable[[str], None]) -> None:
    """From now on Ctrl-C ends this process, also where Python cannot get to it.

    The first one lets the command end in order, but not for long, and not at all while nothing is at stake: a model is
    being loaded, a store is locked. The second ends it at once. A thread hears of signals through a pipe that the
    interpreter writes to in the very moment, whatever the main thread is in.
    """
    ours, theirs = os.pipe()
    if hasattr(os, "set_blocking"):
        os.set_blocking(theirs, False)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(ours, say), name="tts-interrupt", daemon=True).start()


def _listen(signals: int, say: Callable[[str], None]) -> None:
    heard = 0
    with suppress(OSError):
        while numbers := os.read(signals, 64):
            for _ in range(numbers.count(signal.SIGINT)):
                heard += 1
                if heard > 1:
                    _end(say)
                else:
                    threading.Thread(target=_after_grace, args=(say,), name="tts-grace", daemon=True).start()


def _after_grace(say: Callable[[str], None]) -> None:
    if not _is_usual(signal.getsignal(signal.SIGINT)):
        return  # somebody else sees to it, such as training, which ends its step and saves
    time.sleep(_AT_ONCE)
    if not any(wait.idle for wait in waits()):
        time.sleep(GRACE - _AT_ONCE)
    _end(say)


def _is_usual(handler: object) -> bool:
    """Whether Ctrl-C is handled by Python or by asyncio, which let what runs end in order."""
    usual = handler is signal.default_int_handler
    return usual or getattr(getattr(handler, "func", None), "__module__", "") == "asyncio.runners"


def _end(say: Callable[[str], None]) -> None:
    def last_words() -> None:
        if sys.stderr.isatty() and not _said.is_set():
            sys.stderr.write(_CURSOR)
        interrupted(say)

    speaking = threading.Thread(target=last_words, daemon=True)  # the stream may be stuck, or its lock be held
    speaking.start()
    speaking.join(0.5)
    os._exit(INTERRUPTED)
