"""Ends an engine's processes with the process that started them, however that ends.

    guard = ProcessGuard()
    start_the_engine()  # its processes are noted
    guard.started()
    ...
    guard.release()  # the engine has ended its processes

A watcher beside the process notes its new descendants until it hears that the engine has started. Where the process is
gone before the watcher is released, also by SIGKILL, or where the start has failed, the watcher ends them: an engine's
own processes do not see their parent die. Whatever else the process starts while its engine starts is taken for the
engine's, but for other watchers; so engines start one at a time.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from multiprocessing.connection import wait
from pathlib import Path

from tts import BackendError

_WATCHER = Path(__file__).with_name("watch.py")
_STARTED, _RELEASED, _END = b"s", b"r", b"e"  # what the watcher is told
_FIRST_SECONDS = 60.0  # for the watcher to say that it watches, on a machine that is busy
_LAST_SECONDS = 20.0  # for the watcher to end what it has noted
_one_at_a_time = threading.Lock()


class ProcessGuard:
    """Watches from now on; needs psutil, which every engine brings. Waits while another engine starts.

    Raises `BackendError` where the watcher does not come up.
    """

    def __init__(self) -> None:
        _one_at_a_time.acquire()
        self._starting = True
        try:
            self._watcher = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", str(_WATCHER), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # a signal to the whole group must not end it, too
            )
            if not self._answered():
                self.end()
                raise BackendError("the process that ends an engine with its program does not start; is psutil there?")
        except BaseException:
            self._over()
            raise

    def started(self) -> None:
        """What starts from now on is not the engine's."""
        self._tell(_STARTED)
        self._answered()
        self._over()

    def release(self) -> None:
        """The engine's processes are gone, and so is the watcher."""
        self._tell(_RELEASED)
        self._bury()

    def end(self) -> None:
        """End what was noted, and the watcher."""
        self._tell(_END)
        self._bury()

    def _over(self) -> None:
        if self._starting:
            self._starting = False
            _one_at_a_time.release()

    def _answered(self) -> bool:
        """Whether it has said a line; it may have ended while another child of ours still holds its pipe."""
        assert self._watcher.stdout is not None
        return bool(wait([self._watcher.stdout.fileno()], _FIRST_SECONDS) and self._watcher.stdout.readline())

    def _tell(self, word: bytes) -> None:
        assert self._watcher.stdin is not None
        # Somebody has ended the watcher, or it has been told the last word.
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._watcher.stdin.write(word)
            self._watcher.stdin.flush()

    def _bury(self) -> None:
        self._over()
        assert self._watcher.stdin is not None
        assert self._watcher.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._watcher.stdin.close()
        try:
            self._watcher.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self._watcher.kill()
            self._watcher.wait()
        self._watcher.stdout.close()
