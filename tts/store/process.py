"""A process, told apart from every other one that there is or was."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def this_process() -> str:
    """Boot, process namespace, process id and start of this process; empty where the system does not say them all."""
    place, start = _place(), _start(os.getpid())
    return f"{place}/{os.getpid()}/{start}" if place and start else ""


def is_gone(process: str) -> bool:
    """Whether this process is known to have ended: one of this machine since it booted, seen from the same namespace.

    Where that cannot be told, as of another host or container, it is `False`.
    """
    place, _, rest = process.rpartition("/")[0].rpartition("/")
    start = process.rpartition("/")[2]
    return bool(process) and place == _place() and _start(int(rest)) != start


def shown_process() -> str:
    """What messages call this process."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def _place() -> str:
    """Where a process id means one process: since which boot, in which namespace; empty where that is not known."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _start(pid: int) -> str:
    """When a process started, in ticks since boot; empty where it has ended, be it still waited for by its parent."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    state, start = fields[0], fields[19]
    return "" if state in "ZX" else start
