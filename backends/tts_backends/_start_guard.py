"""Ends half-started engines of a process that is gone: an engine that still loads cannot yet see its parent die.

    with guarded():
        start_the_engine()

A watcher beside the process notes its new descendants. Where the process ends inside the block, however it does, or the
block fails, the watcher ends them; at the end of the block the watcher goes, and the engine sees to itself.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PAUSE = 0.1  # seconds between two looks


@contextmanager
def guarded() -> Iterator[None]:
    """Watch what is started inside; needs psutil, which every engine brings."""
    watcher = subprocess.Popen(  # noqa: S603 - this very file
        [sys.executable, "-I", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a signal to the whole group must not end it, too
    )
    assert watcher.stdin is not None
    assert watcher.stdout is not None
    try:
        watcher.stdout.readline()
        yield
        with contextlib.suppress(BrokenPipeError):  # somebody has ended the watcher
            watcher.stdin.write(b"\n")
            watcher.stdin.flush()
    finally:
        with contextlib.suppress(BrokenPipeError):
            watcher.stdin.close()
        watcher.wait()
        watcher.stdout.close()


def _watch() -> None:
    import psutil

    began = psutil.Process().create_time()  # by the clock of theirs, which need not be that of the wall
    known: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(os.getppid())
        os.write(1, b"\n")
        # Its children by fork hold the pipe, too: it is gone when it is no longer our parent.
        while not select.select([0], [], [], _PAUSE)[0] and os.getppid() == parent.pid:
            for one in parent.children(recursive=True):
                if one.pid != os.getpid() and one.create_time() >= began:
                    known[one.pid] = one
    if select.select([0], [], [], 0)[0] and os.read(0, 1):
        return
    for one in list(known.values()):
        with contextlib.suppress(psutil.Error):
            known |= {child.pid: child for child in one.children(recursive=True)}
    for one in known.values():
        with contextlib.suppress(psutil.Error):
            one.kill()


if __name__ == "__main__":
    _watch()
