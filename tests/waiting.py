"""Waiting that ends: when a condition holds, when a limit is over, or when what was to bring it about has failed."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.process import BaseProcess
from typing import Any, Literal

# What brings the condition about.
Maker = asyncio.Future[Any] | Future[Any] | threading.Thread | subprocess.Popen[Any] | BaseProcess
_PAUSE = 0.005


def until(condition: Callable[[], object], by: Maker | None = None, seconds: float = 60.0) -> None:
    """Return when it holds; raises what `by` has raised, or says that it ended, or that the time is over."""
    last = time.monotonic() + seconds
    while not condition():
        if by is not None and _ended(by):
            _check(condition(), condition, by)
            return
        assert time.monotonic() < last, f"not so after {seconds:g} s: {_shown(condition)}"
        time.sleep(_PAUSE)


async def soon(condition: Callable[[], object], by: Maker | None = None, seconds: float = 60.0) -> None:
    """As `until`, on an event loop; the condition may have to be awaited."""

    async def holds() -> object:
        found = condition()
        return await found if inspect.isawaitable(found) else found

    last = time.monotonic() + seconds
    while not await holds():
        if by is not None and _ended(by):
            _check(await holds(), condition, by)
            return
        assert time.monotonic() < last, f"not so after {seconds:g} s: {_shown(condition)}"
        await asyncio.sleep(_PAUSE)


def joined(thread: threading.Thread, seconds: float = 60.0) -> None:
    """The thread has ended."""
    thread.join(seconds)
    assert not thread.is_alive(), f"{thread.name} still runs after {seconds:g} s"


def line(program: subprocess.Popen[str], seconds: float = 60.0, of: Literal["stdout", "stderr"] = "stdout") -> str:
    """The next line that a program writes; says so where it ends, or writes none."""
    pipe = getattr(program, of)
    found: Future[str] = Future()
    threading.Thread(target=lambda: found.set_result(pipe.readline()), daemon=True).start()
    until(found.done, seconds=seconds)
    assert found.result(), f"{program.args} ended with {program.wait(seconds)} instead of writing a line"
    return found.result()


def _ended(by: Maker) -> bool:
    if isinstance(by, threading.Thread | BaseProcess):
        return not by.is_alive()
    return by.poll() is not None if isinstance(by, subprocess.Popen) else by.done()


def _check(held: object, condition: Callable[[], object], by: Maker) -> None:
    if held:  # in the end
        return
    if isinstance(by, asyncio.Future | Future):
        by.result()
    raise AssertionError(f"{by!r} has ended and it is not so: {_shown(condition)}")


def _shown(condition: Callable[[], object]) -> str:
    return getattr(condition, "__qualname__", repr(condition))
