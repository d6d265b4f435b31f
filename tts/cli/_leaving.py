"""The end of the command, which waits for nothing that does not end."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tts.bridge.stacks import where

THREADS = 5.0  # seconds for threads that somebody has left behind
CLEANING = 90.0  # seconds for what is called at the end: models close


def leave(status: int, say: Callable[[str], None]) -> None:
    """From now on the process ends with this status, if not by itself then by us.

    Python waits at its end for every thread that is no daemon, and for whatever was registered to be called.
    """
    threading.Thread(target=_see_to_it, args=(status, say), name="tts-leaving", daemon=True).start()


def _see_to_it(status: int, say: Callable[[str], None]) -> None:
    time.sleep(THREADS)
    if left := _left():
        names = ", ".join(repr(thread.name) for thread in left[:3])
        place = where(left[0].ident)
        say(f"done; not waiting for {len(left)} threads that do not end: {names}{f', in {place}' if place else ''}")
    else:
        time.sleep(CLEANING)
        say("done; not waiting for what does not end when the program does")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _left() -> list[threading.Thread]:
    main = threading.main_thread()
    return [thread for thread in threading.enumerate() if thread is not main and not thread.daemon]
