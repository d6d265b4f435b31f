"""Whether a thread works or stands still, by the processor time that it takes."""

from __future__ import annotations

import asyncio
import threading
import time

_WINDOW, _SHARE = 1.0, 0.02  # seconds of looking, and the part of them that shows work


async def at_work(thread: threading.Thread) -> bool | None:
    """Whether the thread takes processor time; `None` where the system does not tell."""
    if not thread.is_alive():
        return False
    if not hasattr(time, "pthread_getcpuclockid") or thread.ident is None:
        return None
    clock = time.pthread_getcpuclockid(thread.ident)
    try:
        before = time.clock_gettime(clock)
        await asyncio.sleep(_WINDOW)
        return time.clock_gettime(clock) - before > _WINDOW * _SHARE
    except OSError:  # it has ended meanwhile
        return False
