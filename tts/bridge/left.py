"""Work that does not end when it is told to: waited for so long, named, left behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any

PATIENCE = 10.0  # seconds in which what is cancelled must have ended

_log = logging.getLogger("tts")
_left: list[asyncio.Task[Any]] = []  # held as long as the program runs: asyncio complains of one that is collected


async def end(tasks: Collection[asyncio.Task[Any]], what: str, seconds: float = PATIENCE) -> set[asyncio.Task[Any]]:
    """Cancel tasks and wait until they have ended; returns those that have not after so many seconds.

    These are left behind, and one warning says of `what`.
    """
    running = set()
    for task in tasks:
        if task.done():
            heard(task)
        else:
            task.cancel()
            running.add(task)
    if not running:
        return running
    done, pending = await asyncio.wait(running, timeout=seconds)
    for task in done:
        heard(task)
    if pending:
        leave(pending, f"{what} still {'run' if len(pending) > 1 else 'runs'} {seconds:g} s after being cancelled")
    return pending


def leave(tasks: Collection[asyncio.Task[Any]], sentence: str) -> None:
    """Go on without these tasks, and say so."""
    for task in tasks:
        task.add_done_callback(heard)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - as asyncio.gather does it
        _left.append(task)
    _log.warning("%s; left behind", sentence)


def heard(task: asyncio.Task[Any]) -> None:
    """Take what it raised, which asyncio would complain of otherwise."""
    if not task.cancelled():
        task.exception()
