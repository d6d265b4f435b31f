"""Standard streams that survive what the shell makes of them: closed, full, of an old encoding."""

from __future__ import annotations

import atexit
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

from tts.vocabulary.errors import OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
_data: list[TextIO] = []  # stdout, while others' prints go elsewhere; of the process, for threads print, too


@contextmanager
def steady() -> Iterator[None]:
    """Within it text of any kind can be printed; a stream that cannot be written becomes one `OutputError`.

    Where stdout is the process's, data goes out by a descriptor of its own: on number 1, where code in C and child
    processes of plugins write, is stderr, to the end of the process.
    """
    occupy()
    apart = _set_apart()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        finally:
            _flush()
            if apart:
                atexit.register(_put_aside)  # this late, it comes before what plugins have registered
    except OSError as error:
        if isinstance(error, OutputError) or error.filename is not None or error.errno not in _FULL:
            raise
        _give_up()
        raise OutputError(f"standard output cannot be written: {error.strerror}") from error


@contextmanager
def prints_aside() -> Iterator[None]:
    """Within it what others print goes to stderr, so that stdout holds data only; `data_stream` is stdout still."""
    _data.append(data_stream())
    try:
        with redirect_stdout(_Aside()):
            yield
    finally:
        _data.pop()
        occupy()


class _Aside(io.TextIOBase):
    """stderr, for those who print to stdout: whoever closes it closes nothing else."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()

    def fileno(self) -> int:
        return sys.stderr.fileno()

    def isatty(self) -> bool:
        return sys.stderr.isatty()

    def writable(self) -> bool:
        return True


def data_stream() -> TextIO:
    """Where data goes."""
    return _data[-1] if _data else sys.stdout


def _set_apart() -> bool:
    """Give `sys.stdout` a descriptor that nobody else knows, and let number 1 be stderr."""
    stream = sys.stdout
    try:
        apart = stream.fileno() == 1 and stream is sys.__stdout__
    except (OSError, ValueError):  # a test's, a notebook's
        return False
    if not apart or not isinstance(stream, io.TextIOWrapper):
        return False
    stream.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    to_data = io.BufferedWriter(io.FileIO(own, "w", closefd=False))  # open as long as the process
    sys.stdout = io.TextIOWrapper(to_data, stream.encoding, stream.errors, line_buffering=stream.line_buffering)
    return True


def _put_aside() -> None:
    with suppress(OSError, ValueError):
        _flush()
    sys.stdout = _Aside()


def occupy() -> None:
    """Put nothing where a standard stream was closed (`2>&-`): else the next file, such as a store, takes its number
    and gets what libraries write there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the process


def _flush() -> None:
    if not sys.stdout.closed:
        sys.stdout.flush()


def _give_up() -> None:
    """Let the interpreter's own flush at the end go nowhere."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
