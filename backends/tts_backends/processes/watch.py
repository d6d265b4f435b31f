"""The watcher of `guard`, a program that knows nothing of the package: `python -P watch.py PID`.

It writes a line when it watches, and is told in single bytes: `s` the engine has started, which it answers with another
line when it has looked for the last time; `r` leave; anything else end what you have noted.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from pathlib import Path

import psutil

_NAME = str(Path(*Path(__file__).parts[-3:]))  # what the command of every watcher has in it
_PAUSE, _PAUSE_LATER = 0.1, 1.0  # seconds between two looks, while the engine starts and afterwards


def note(parent: int, known: dict[int, psutil.Process]) -> None:
    """Add the descendants that are younger than this process, but for other watchers and what they share."""
    with contextlib.suppress(psutil.Error):
        began = psutil.Process().create_time()  # anew, by the clock that says theirs: it may jump by a second
        for one in psutil.Process(parent).children(recursive=True):
            if one.pid in known or one.pid == os.getpid() or one.create_time() < began:
                continue
            with contextlib.suppress(psutil.Error):
                command = " ".join(one.cmdline())
                if _NAME not in command and "resource_tracker" not in command:
                    known[one.pid] = one


def end(known: dict[int, psutil.Process]) -> None:
    """Kill them and what they have started since."""
    for one in list(known.values()):
        with contextlib.suppress(psutil.Error):
            known |= {child.pid: child for child in one.children(recursive=True)}
    for one in known.values():
        with contextlib.suppress(psutil.Error):
            one.kill()


def watch(parent: int) -> None:
    """Until the parent is gone or says what to do."""
    known: dict[int, psutil.Process] = {}
    heard, starting = b"", True
    os.write(1, b"\n")
    # Children by fork hold the pipe, too, and keep it open: a process is gone when it is no longer our parent.
    while os.getppid() == parent:
        if starting:
            note(parent, known)
        if select.select([0], [], [], _PAUSE if starting else _PAUSE_LATER)[0]:
            heard = os.read(0, 1)
            if heard != b"s":
                break
            note(parent, known)  # what came since the last look
            os.write(1, b"\n")
            starting = False
    if heard != b"r":
        end(known)


if __name__ == "__main__":
    watch(int(sys.argv[1]))
