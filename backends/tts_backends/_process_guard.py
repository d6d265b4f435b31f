"""Ends an engine's processes with the process that started them, however that ends.

    guard = ProcessGuard()
    start_the_engine()  # its processes are noted
    guard.started()
    ...
    guard.release()  # the engine has ended its processes

A watcher beside the process notes its new descendants until it hears that the engine has started. Where the process is
gone before the watcher is released, also by SIGKILL, or where the start has failed, the watcher ends them: an engine's
own processes do not see their parent die.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys

_PAUSE, _PAUSE_LATER = 0.1, 1.0  # seconds between two looks, while the engine starts and afterwards
_STARTED, _RELEASED = b"s", b"r"


class ProcessGuard:
    """Watches from now on; needs psutil, which every engine brings."""

    def __init__(self) -> None:
        self._watcher = subprocess.Popen(  # noqa: S603 - this very file
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a signal to the whole group must not end it, too
        )
        assert self._watcher.stdout is not None
        self._watcher.stdout.readline()

    def started(self) -> None:
        """What starts from now on is not the engine's."""
        self._tell(_STARTED)

    def release(self) -> None:
        """The engine's processes are gone, and so is the watcher."""
        self._tell(_RELEASED)
        self.end()

    def end(self) -> None:
        """End what was noted, unless it is released, and the watcher."""
        assert self._watcher.stdin is not None
        assert self._watcher.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._watcher.stdin.close()
        self._watcher.wait()
        self._watcher.stdout.close()

    def _tell(self, word: bytes) -> None:
        assert self._watcher.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody has ended the watcher
            self._watcher.stdin.write(word)
            self._watcher.stdin.flush()


def _watch() -> None:
    import psutil

    began = psutil.Process().create_time()  # by the clock of theirs, which need not be that of the wall
    known: dict[int, psutil.Process] = {}
    parent, heard, starting = os.getppid(), b"", True
    os.write(1, b"\n")
    # Children by fork hold the pipe, too, and keep it open: a process is gone when it is no longer our parent.
    while os.getppid() == parent:
        if starting:
            with contextlib.suppress(psutil.Error):
                for one in psutil.Process(parent).children(recursive=True):
                    if one.pid != os.getpid() and one.create_time() >= began:
                        known[one.pid] = one
        if select.select([0], [], [], _PAUSE if starting else _PAUSE_LATER)[0]:
            heard = os.read(0, 1)
            if heard != _STARTED:
                break
            starting = False
    if heard == _RELEASED:
        return
    for one in list(known.values()):
        with contextlib.suppress(psutil.Error):
            known |= {child.pid: child for child in one.children(recursive=True)}
    for one in known.values():
        with contextlib.suppress(psutil.Error):
            one.kill()


if __name__ == "__main__":
    _watch()
