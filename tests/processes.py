"""Whether processes are gone, for tests of what must not stay behind."""

from __future__ import annotations

import time

import pytest

psutil = pytest.importorskip("psutil")


def left(processes: list[psutil.Process], seconds: float = 60) -> list[psutil.Process]:
    """Which of them still run after so many seconds; one that nobody has buried does not."""
    until = time.monotonic() + seconds
    while True:
        found = [one for one in processes if runs(one)]
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.1)


def runs(process: psutil.Process) -> bool:
    """Whether it is there and not a zombie."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
