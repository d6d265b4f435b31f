"""The book that the driver keeps of what is to be done on Ray: jobs, their parts, actors."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tts import Completion, Request, TTSError, Usage
from tts_backends.ray.host import About, Order, unheard


class Job:
    """A request on its way; made on the caller's loop, worked on by the pool's.

    Completions and failures arrive in `arrivals`; `cancelled` is what was begun and thrown away.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.arrivals: asyncio.Queue[Completion | TTSError] = asyncio.Queue()
        self.cancelled: list[Usage] = []
        self.withdrawn = False
        self.parts: set[Part] = set()  # those that wait, or that an actor has
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def give(self, item: Completion | TTSError) -> None:
        """From the pool's thread: something has arrived."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self.arrivals.put_nowait, item)


class Part:
    """Some of the completions of a job, as one actor works on them."""

    def __init__(self, job: Job, indices: list[int], losses: int = 0) -> None:
        self.job, self.indices, self.losses = job, indices, losses
        self.left = set(indices)
        job.parts.add(self)

    def request(self) -> Request:
        """What the actor is asked for: these completions alone, with their own seeds."""
        whole = self.job.request
        seeds = tuple(whole.seeds[index] for index in self.indices)
        return whole.model_copy(update={"n": len(seeds), "seeds": seeds, "on_cancelled": unheard, "on_text": None})

    def end(self, failure: TTSError | None = None) -> None:
        """Nothing more comes of this part."""
        job = self.job
        job.parts.discard(self)
        if failure is not None:
            job.give(failure)
        if not job.parts:
            job.over.set()


class Actor:
    """One actor with the model loaded, as the driver sees it."""

    def __init__(self, handle: Any, about: About) -> None:
        self.handle, self.about = handle, about
        self.room = about.capabilities.concurrency if about.capabilities else 1
        self.busy = 0  # completions and calls that it works on
        self.alone: Part | None = None  # a part that must have it for itself
        self.parts: dict[int, Part] = {}
        self.orders: asyncio.Queue[Order] = asyncio.Queue()
        self.serving: asyncio.Task[None] | None = None

    @property
    def free(self) -> int:
        """How many more completions it takes."""
        return 0 if self.alone else self.room - self.busy
