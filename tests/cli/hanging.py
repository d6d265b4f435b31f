"""The command line with plugins that hang in one way each: `python hanging.py run ...`; files say where they are."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any, ClassVar

from fake_backend import Fake

import tts

TICK = float(os.environ.get("TICK", "0.3"))


class Loads(Fake):
    """Never comes to an end of loading."""

    def __init__(self, model: str, options: Any) -> None:
        time.sleep(3600)


class Mute(Fake):
    """Accepts what it is asked and says nothing."""

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        await asyncio.Event().wait()
        yield tts.Completion(index=0, text="")


class Deaf(Fake):
    """Says nothing, and goes on when it is cancelled."""

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        while True:
            try:
                await asyncio.sleep(3600)
            except BaseException:
                continue
        yield tts.Completion(index=0, text="")


class Stays(Fake):
    """Does not close."""

    async def aclose(self) -> None:
        await asyncio.sleep(3600)


class MuteScorer:
    """Says nothing."""

    Options = tts.NoOptions
    fingerprint = "mute"

    def __init__(self, model: str, options: Any) -> None: ...

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
        await asyncio.Event().wait()
        return []

    async def aclose(self) -> None: ...


class Leaves(tts.Strategy):
    """Leaves a task behind that never ends, a thread, or a call on a worker thread."""

    name: ClassVar[str] = "leaves"
    what: str = "task"
    """What is left behind."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        if self.what == "task":
            asyncio.create_task(stray())  # noqa: RUF006 - that is the fault
        elif self.what == "thread":
            threading.Thread(target=time.sleep, args=(3600,), name="stray").start()
        else:
            asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)
        await asyncio.sleep(0)
        return tts.Decision(text=found[0].text, chosen=found[0].index)


async def stray() -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


class Blocks(tts.Strategy):
    """Blocks the event loop."""

    name: ClassVar[str] = "blocks"
    seconds: float = 3600.0
    """How long."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        time.sleep(self.seconds)
        return tts.Decision(text=found[0].text, chosen=found[0].index)


def quicken() -> None:
    """What is said after ten seconds, or a minute, is said after a third of a second; ends come sooner, too."""
    from tts.bridge import left, loop
    from tts.cli import _leaving, _progress
    from tts.engine import calls, engine, models, pool, stream, unit, watchdog

    watchdog.TOLD = watchdog.BLOCKED = _progress.PLAIN_SECONDS = TICK
    engine._tick = lambda _: TICK / 4
    models.CLOSING = _leaving.THREADS = _leaving.CLEANING = calls.PATIENCE = loop.PATIENCE = 1.0
    pool.STEP = stream.STEP = unit.STEP = 1.0
    left.end.__defaults__ = (1.0,)


if __name__ == "__main__":
    from tts.cli import main

    if os.environ.get("TICK"):
        quicken()
    for kind, name, target in [
        ("backend", "fake", Fake),
        ("backend", "loads", Loads),
        ("backend", "mute", Mute),
        ("backend", "deaf", Deaf),
        ("backend", "stays", Stays),
        ("scorer", "mute", MuteScorer),
        ("strategy", "leaves", Leaves),
        ("strategy", "blocks", Blocks),
    ]:
        tts.plugins().register(kind, name, target)  # type: ignore[arg-type]
    main(prog_name="tts")
