"""What runs in an actor of Ray: one model with the requests that it works on.

Everything else is the driver's. What is finished is handed over in batches: the driver asks, and the answer holds
whatever has finished since it last asked. So nothing waits for a timer, and the more comes, the less each completion
costs.
"""

from __future__ import annotations

import asyncio
import functools
import os
from contextlib import aclosing
from typing import Any, NamedTuple

from tts import Capabilities, Completion, Request, TTSError, Usage
from tts_backends.foreign import backend_error, in_thread


class About(NamedTuple):
    """What the driver must know of a loaded model; a scorer or judge has no `capabilities`.

    `fingerprint` is the model's own, empty where it has none; `dated` says that it can tell whether it is `outdated`.
    """

    fingerprint: str
    capabilities: Capabilities | None
    by_content: bool
    logprobs: bool
    dated: bool
    pid: int


class Ended(NamedTuple):
    """A request has ended: with what failure, and what its cancelled completions have cost."""

    failure: TTSError | None
    cancelled: tuple[Usage, ...]


Event = tuple[int, Completion | Ended]
Order = tuple[int, Request | None]  # the number of a request, and the request or `None` to cancel it


def unheard(usage: Usage) -> None:
    """Takes the place of `Request.on_cancelled` on the way: a callback stays in its process."""


class Host:
    """The actor. Errors are returned, not raised: Ray would wrap them, with the trace of another machine."""

    def __init__(self) -> None:
        self._model: Any = None
        self._name = ""
        self._finished: asyncio.Queue[Event] = asyncio.Queue()
        self._requests: dict[int, asyncio.Task[None]] = {}

    async def load(self, cls: Any, model: str, options: Any) -> About | TTSError:
        """Load the model on a worker thread, as the driver would."""
        try:
            loaded = await in_thread(cls, model, options)
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # the actor is not the model's to end
            return _ours(error, f"loading {model!r}")
        self._model, self._name = loaded, str(getattr(loaded, "name", model))
        return About(
            fingerprint=str(getattr(loaded, "fingerprint", None) or ""),
            capabilities=getattr(loaded, "capabilities", None),
            by_content=getattr(loaded, "by_content", True),
            logprobs=getattr(loaded, "logprobs", False),
            dated=hasattr(loaded, "outdated"),
            pid=os.getpid(),
        )

    async def take(self, orders: list[Order]) -> None:
        """Begin to work on requests, or cancel them; completions and ends come with `finished`."""
        for number, request in orders:
            if request is not None:
                self._begin(number, request)
            elif task := self._requests.get(number):
                task.cancel()

    async def finished(self) -> list[Event]:
        """All that has finished since the last call, once there is something."""
        events = [await self._finished.get()]
        while not self._finished.empty():
            events.append(self._finished.get_nowait())
        return events

    async def call(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Call a method of the model."""
        try:
            return await getattr(self._model, method)(*arguments, **options)
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            return _ours(error, self._name)

    async def outdated(self) -> bool | TTSError:
        """Whether the files of the model have changed since this actor has loaded it."""
        try:
            return bool(await in_thread(self._model.outdated))
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            return _ours(error, self._name)

    def _begin(self, number: int, request: Request) -> None:
        cancelled: list[Usage] = []
        request = request.model_copy(update={"on_cancelled": cancelled.append})
        self._requests[number] = task = asyncio.create_task(self._work(number, request))
        task.add_done_callback(functools.partial(self._over, number, cancelled))  # also if it is cancelled unbegun

    async def _work(self, number: int, request: Request) -> None:
        try:
            async with aclosing(self._model.generate(request)) as completions:
                async for completion in completions:
                    self._finished.put_nowait((number, completion))
        except (KeyboardInterrupt, SystemExit) as error:  # would end the actor's loop, with all other requests
            raise _ours(error, self._name) from error

    def _over(self, number: int, cancelled: list[Usage], task: asyncio.Task[None]) -> None:
        del self._requests[number]
        error = None if task.cancelled() else task.exception()
        failure = _ours(error, self._name) if error else None
        self._finished.put_nowait((number, Ended(failure, tuple(cancelled))))


def _ours(error: BaseException, who: str) -> TTSError:
    return error if isinstance(error, TTSError) else backend_error(who, error)
