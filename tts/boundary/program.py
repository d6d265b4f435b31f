"""What foreign code may change for the whole program, put back where the rest could not go on with it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tts.boundary.foreign import Foreign


@contextmanager
def kept() -> Iterator[list[str]]:
    """Around foreign code; afterwards the list says what it changed, each a part of a sentence.

    Restored are the working directory, the recursion limit where it was lowered, the handler of Ctrl-C, closed or
    removed standard streams, entries taken from `sys.path`, our own warnings and log lines where they were silenced.
    """
    told: list[str] = []
    before = _State()
    try:
        yield told
    finally:
        told += before.restore()


@contextmanager
def importing() -> Iterator[list[str]]:
    """The same around an import, with foreign code at work in it."""
    with kept() as told, Foreign():
        yield told


class _State:
    def __init__(self) -> None:
        self._folder = _folder()
        self._depth = sys.getrecursionlimit()
        self._main = threading.current_thread() is threading.main_thread()
        self._handler = signal.getsignal(signal.SIGINT) if self._main else None
        self._streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
        self._copies = {number: copy for number in range(3) if (copy := _copied(number)) is not None}
        self._path = list(sys.path)
        self._ours = [one for one in warnings.filters if one[2].__module__.partition(".")[0] == "tts"]
        self._silent = logging.root.manager.disable

    def restore(self) -> list[str]:
        """Put back what was changed; what that is."""
        told = [*self._streams_back(), *self._folder_back()]
        if sys.getrecursionlimit() < self._depth:
            told.append(f"set the recursion limit to {sys.getrecursionlimit()}")
            sys.setrecursionlimit(self._depth)
        if self._main and self._handler is not None and signal.getsignal(signal.SIGINT) is not self._handler:
            told.append("took over Ctrl-C")
            signal.signal(signal.SIGINT, self._handler)
        # What follows is often meant well for the plugin's own; it goes on, and so do we.
        sys.path += [entry for entry in self._path if entry not in sys.path]
        logging.disable(self._silent)
        if warnings.filters[: len(self._ours)] != self._ours:
            warnings.filters[:] = [*self._ours, *(one for one in warnings.filters if one not in self._ours)]  # type: ignore[index]  # typeshed has a sequence, it is a list
            warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001
        return told

    def _folder_back(self) -> list[str]:
        now = _folder()
        if self._folder is None or now == self._folder:
            return []
        with suppress(OSError):
            os.chdir(self._folder)
        return [f"changed the working directory to {now!r}"]

    def _streams_back(self) -> list[str]:
        told = []
        for number, copy in self._copies.items():
            try:
                os.fstat(number)
            except OSError:
                os.dup2(copy, number)
                told.append(f"closed the file descriptor {number}")
            os.close(copy)
        for name, stream in self._streams.items():
            if stream is None or (getattr(sys, name) is stream and not getattr(stream, "closed", False)):
                continue
            if getattr(stream, "closed", False):
                told.append(f"closed sys.{name}")
                stream = _anew(name)
            elif getattr(sys, name) is None:
                told.append(f"removed sys.{name}")
            setattr(sys, name, stream)
        return told


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a Path would be made of it for nothing
    except OSError:  # it was deleted
        return None


def _copied(number: int) -> int | None:
    try:
        return os.dup(number)
    except OSError:  # closed before
        return None


def _anew(name: str) -> object:
    """A standard stream instead of one that was closed, which has closed its descriptor, too."""
    number = ("stdin", "stdout", "stderr").index(name)
    return open(number, "r" if name == "stdin" else "w", encoding="utf-8", errors="backslashreplace", closefd=False)
