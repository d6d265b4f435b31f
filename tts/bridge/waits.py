"""What this program waits for, by name, so that who watches can say it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Wait:
    """One thing that is waited for.

    `what` is said after "waiting for"; `thread` is the one whose stack shows where it is; `told` is when somebody was
    last told of it (monotonic seconds, as `since`). `idle` says that nothing is at stake while it lasts.
    """

    __slots__ = ("idle", "since", "thread", "told", "what")

    def __init__(self, what: str, thread: int | None, *, idle: bool) -> None:
        self.what: str = what
        self.thread: int | None = thread
        self.idle: bool = idle
        self.since: float = time.monotonic()
        self.told: float = self.since


_waits: dict[Wait, None] = {}


@contextmanager
def waiting(what: str, *, idle: bool = False) -> Iterator[Wait]:
    """Within it the program waits for this, on this thread unless `thread` of what is given says another."""
    wait = Wait(what, threading.get_ident(), idle=idle)
    _waits[wait] = None
    try:
        yield wait
    finally:
        _waits.pop(wait, None)


def waits() -> list[Wait]:
    """What is waited for now, on whatever thread, longest first."""
    return list(_waits)
