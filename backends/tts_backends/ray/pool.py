"""The driver's side of a model on Ray: a pool of actors that each hold it.

* Work waits here, by priority, and goes to an actor that has room for it, the emptiest first, in chunks of at most the
  completions of one prompt. Nothing is dealt out in advance, so there is nothing to steal back from a slow actor.
* An actor that is lost is replaced, and what it had not delivered yet is done by another. What is delivered is
  the driver's already: nothing is lost and nothing comes twice.
* All of this runs on an event loop of its own; requests come from any other.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError, RayTaskError

from tts import BackendError, BackendUnavailable, Completion, TTSError, Usage
from tts_backends.foreign import backend_error, told, words
from tts_backends.processes.loop_thread import LoopThread
from tts_backends.ray.host import About, Ended, Host
from tts_backends.ray.work import Actor, Job, Part

PATIENCE = 300.0  # seconds that a cluster may have no room for any actor
_LOSSES = 3  # so many actors may be lost over one request; at the last one it is alone, so it is known to be the cause
_CALLS_AT_ONCE = 10_000  # methods of one actor that may run at the same time
_END_SECONDS = 60.0  # for the end of all actors
_ASK_SECONDS = 30.0  # for whether their files have changed
_log = logging.getLogger("tts")


class Wanted(NamedTuple):
    """How many actors, and what each of them needs."""

    actors: int
    gpus: float
    cpus: float


class ActorPool:
    """Actors that each hold the same model; methods may be called from any thread.

    Raises what loading raises, or `BackendUnavailable` where the cluster has no room.
    """

    def __init__(self, name: str, load: tuple[Any, str, Any], wanted: Wanted) -> None:
        self._name, self._load, self._wanted = name, load, wanted
        self._remote = ray.remote(Host).options(
            num_gpus=wanted.gpus, num_cpus=wanted.cpus, max_concurrency=_CALLS_AT_ONCE
        )
        self._actors: list[Actor] = []
        self._waiting: list[tuple[int, int, Part]] = []
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._launching = self._loading = self._stillborn = 0
        self._failure: TTSError | None = None  # why there is no actor and will be none
        self._closed, self._closing = False, threading.Lock()
        self._thread = LoopThread("tts-ray")
        try:
            self.about: About = self._thread.submit(self._open()).result()
        except BaseException:
            self._thread.stop()
            raise

    # --- from any thread -------------------------------------------------------------------------------------------

    def submit(self, job: Job) -> None:
        """Take a job on; raises `BackendError` once the pool is stopped."""
        self._run(self._take(job))

    def withdraw(self, job: Job) -> Future[None]:
        """Cancel what is left of a job; done when every actor has let go of it."""
        return self._run(self._withdraw(job))

    def call(self, method: str, *arguments: Any, **options: Any) -> Future[Any]:
        """Call a method of the model on the emptiest actor, and on another one where that is lost."""
        return self._run(self._call(method, arguments, options))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        with self._closing:
            if not self._closed:
                return self._thread.submit(work)
        work.close()
        raise BackendError(f"{self._name!r} is closed")

    def outdated(self) -> bool:
        """Whether the model's files have changed since an actor has loaded them; each is asked, for each has a disk.

        Raises what an actor raises; one that does not answer is not waited for.
        """
        asked = self._run(self._outdated())
        try:
            return bool(asked.result(_ASK_SECONDS))
        except TimeoutError:
            asked.cancel()
            _log.warning("actors of %s do not say whether their files have changed; they go on", self._name)
            return False

    def pids(self) -> list[int]:
        """The processes of the actors that are up."""
        return [actor.about.pid for actor in self._actors]

    def stop(self) -> None:
        """End the actors; what is unfinished fails."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        try:
            self._thread.submit(self._close()).result(_END_SECONDS)
        finally:
            self._thread.stop()

    # --- actors ----------------------------------------------------------------------------------------------------

    async def _open(self) -> About:
        self._changed = asyncio.Event()
        for _ in range(self._wanted.actors):
            self._launch()
        self._keep(self._watch())
        return (await self._emptiest()).about

    def _keep(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _launch(self) -> None:
        self._launching += 1
        self._keep(self._bring_up())

    async def _bring_up(self) -> None:
        handle = None
        try:
            handle = self._remote.remote()
            about = await self._loaded(handle)
        except asyncio.CancelledError:
            _kill(handle)
            raise
        except Exception as error:
            about = BackendError(f"no actor of {self._name!r} can be started: {told(error)}")
        self._launching -= 1
        if isinstance(about, About):
            self._stillborn, self._failure = 0, None
            self._join(Actor(handle, about))
            return
        _kill(handle)
        self._stillborn += 1
        passing = isinstance(about, BackendUnavailable)  # anything else fails in every actor
        if passing and self._stillborn < _LOSSES:
            self._launch()
        elif self._actors or (passing and self._launching):
            _log.warning("%s goes on with an actor less: %s", self._name, about)
        else:
            self._give_up(about)

    async def _loaded(self, handle: Any) -> About | TTSError:
        try:
            await handle.__ray_ready__.remote()
            self._loading += 1
            try:
                about: About | TTSError = await handle.load.remote(*self._load)
            finally:
                self._loading -= 1
        except RayError as error:
            if isinstance(error, RayTaskError):
                return BackendError(f"{self._name!r} cannot be loaded by an actor: {_reason(error)}")
            return BackendUnavailable(f"an actor of {self._name!r} was lost while it loaded: {_reason(error)}")
        except Exception as error:
            return BackendError(f"{self._name!r} cannot be sent to an actor: {type(error).__name__}: {error}")
        known = next((actor.about.fingerprint for actor in self._actors), None)
        if isinstance(about, About) and known not in {None, about.fingerprint}:
            return BackendError(f"{self._name!r} is another model on another node: {known} and {about.fingerprint}")
        return about

    def _join(self, actor: Actor) -> None:
        self._actors.append(actor)
        actor.serving = self._keep(self._serve(actor))
        self._changed.set()
        self._dispatch()

    async def _serve(self, actor: Actor) -> None:
        """Send orders and take in what is finished, until the actor is lost."""
        sending = self._keep(self._send(actor))
        listening = self._keep(self._listen(actor))
        done, _ = await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, listening):
            task.cancel()
        first = next(iter(done))
        self._lose(actor, "its answer was cancelled" if first.cancelled() else _reason(first.exception()))

    async def _send(self, actor: Actor) -> None:
        while True:
            orders = [await actor.orders.get()]
            while not actor.orders.empty():
                orders.append(actor.orders.get_nowait())
            await actor.handle.take.remote(orders)

    async def _listen(self, actor: Actor) -> None:
        while True:
            events = await actor.handle.finished.remote()
            failures = [self._arrived(actor, number, event) for number, event in events]
            if gone := next(filter(None, failures), None):
                raise gone
            self._dispatch()

    def _lose(self, actor: Actor, reason: str) -> None:
        if actor not in self._actors:
            return
        _log.warning("an actor of %s is lost (%s); another one does its work", self._name, reason)
        self._actors.remove(actor)
        _kill(actor.handle)  # it may still be there, and must not go on
        self._launch()
        if not self._actors:
            self._changed.clear()
            self._keep(self._watch())
        for part in actor.parts.values():
            self._again(part, reason)
        self._dispatch()

    def _again(self, part: Part, reason: str) -> None:
        """What a lost actor has not delivered is done by another; what it has cost is not known."""
        job = part.job
        job.cancelled += [Usage(calls=1, cancelled=1)] * len(part.left)
        if job.withdrawn or not part.left:
            part.end()
        elif part.losses + 1 >= _LOSSES:
            part.end(
                BackendUnavailable(f"{_LOSSES} actors of {self._name!r} were lost over it: {reason}", retryable=False)
            )
        else:
            self._queue(Part(job, sorted(part.left), part.losses + 1))
            part.end()

    async def _watch(self) -> None:
        """Give up where the cluster finds no room for any actor."""
        await asyncio.sleep(PATIENCE)
        if not self._actors and not self._loading:
            self._give_up(
                BackendUnavailable(
                    f"the Ray cluster has had no room for an actor of {self._name!r} for {PATIENCE:g} s: one needs "
                    f"{self._wanted.gpus:g} GPUs and {self._wanted.cpus:g} CPUs, the cluster has {_resources()}; "
                    "ask for less with @gpus=, @cpus= and, of other models, @actors=",
                    retryable=False,
                )
            )

    def _give_up(self, failure: TTSError) -> None:
        self._failure = failure
        self._changed.set()
        for _, _, part in self._waiting:
            part.end(failure)
        self._waiting = []

    async def _emptiest(self) -> Actor:
        while not self._actors:
            if self._failure is not None:
                raise self._failure
            await self._changed.wait()
        return min(self._actors, key=lambda actor: actor.busy)

    # --- work ------------------------------------------------------------------------------------------------------

    async def _take(self, job: Job) -> None:
        part = Part(job, list(range(job.request.n)))
        if self._failure is not None:
            part.end(self._failure)
        else:
            self._queue(part)
            self._dispatch()

    def _queue(self, part: Part) -> None:
        heapq.heappush(self._waiting, (part.job.request.priority, next(self._numbers), part))

    def _dispatch(self) -> None:
        """Hand out what waits, best first, as far as there is room."""
        while self._waiting:
            actor = max(self._actors, key=lambda one: one.free, default=None)
            if actor is None or actor.free < 1:
                return
            _, _, part = heapq.heappop(self._waiting)
            if part.job.withdrawn:
                continue
            if part.losses == _LOSSES - 1:
                if actor.busy:
                    self._queue(part)
                    return  # the next to be empty is for this part
                actor.alone = part
            elif len(part.indices) > actor.free:
                self._queue(Part(part.job, part.indices[actor.free :], part.losses))
                part.indices = part.indices[: actor.free]
                part.left = set(part.indices)
            try:
                request = part.request()
            except Exception as error:  # whoever dispatches may be at work for somebody else
                actor.alone = None
                part.end(backend_error(f"the request to {self._name!r}", error))
                continue
            number = next(self._numbers)
            actor.parts[number] = part
            actor.busy += len(part.indices)
            actor.orders.put_nowait((number, request))

    def _arrived(self, actor: Actor, number: int, event: Completion | Ended) -> BackendUnavailable | None:
        """Pass on what has finished; an error says that the actor's model is gone, which is as good as a lost actor."""
        part = actor.parts[number]
        if isinstance(event, Completion):
            index = part.indices[event.index]
            part.left.remove(index)
            actor.busy -= 1
            part.job.give(event.model_copy(update={"index": index}))
            return None
        if isinstance(event.failure, BackendUnavailable):
            return event.failure
        del actor.parts[number]
        actor.alone = None
        actor.busy -= len(part.left)
        part.job.cancelled += event.cancelled
        if part.job.withdrawn:  # what the model had not begun, it does not report
            part.job.cancelled += [Usage(cancelled=1)] * (len(part.left) - len(event.cancelled))
        short = part.left and not part.job.withdrawn and event.failure is None
        missing = BackendError(f"{self._name!r} ended {len(part.left)} completions short", retryable=True)
        part.end(missing if short else event.failure)
        return None

    async def _withdraw(self, job: Job) -> None:
        job.withdrawn = True
        running = {part for actor in self._actors for part in actor.parts.values()}
        for part in job.parts - running:
            job.cancelled += [Usage(cancelled=1)] * len(part.left)
            part.end()
        for actor in self._actors:
            for number, part in actor.parts.items():
                if part.job is job:
                    actor.orders.put_nowait((number, None))
        if job.parts:
            await job.over.wait()

    async def _outdated(self) -> bool:
        answers = await asyncio.gather(
            *(actor.handle.outdated.remote() for actor in self._actors), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, TTSError):
                raise answer
        return any(answer is True for answer in answers)  # an actor that is lost is replaced by one that reads anew

    async def _call(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        reason = ""
        for _ in range(_LOSSES):
            actor = await self._emptiest()
            actor.busy += 1
            try:
                answer = await actor.handle.call.remote(method, arguments, options)
            except RayError as error:
                reason = _reason(error)
                self._lose(actor, reason)
                continue
            finally:
                actor.busy -= 1
            if isinstance(answer, TTSError):
                raise answer
            return answer
        raise BackendUnavailable(f"{_LOSSES} actors of {self._name!r} were lost over it: {reason}", retryable=False)

    async def _close(self) -> None:
        self._give_up(BackendError(f"{self._name!r} is closed"))
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for actor in self._actors:
            for part in actor.parts.values():
                part.end(self._failure)
            _kill(actor.handle)
        self._actors = []


def _kill(handle: Any) -> None:
    """End an actor, where there is one; what Ray says of it is of no use to who waits for something else."""
    try:
        if handle is not None:
            ray.kill(handle)
    except Exception as error:
        _log.warning("an actor cannot be ended: %s", told(error))


def _resources() -> str:
    """What the cluster has, as far as it still says so."""
    try:
        found = ray.cluster_resources()
    except Exception as error:
        return f"resources that it does not tell ({told(error)})"
    return ", ".join(f"{found.get(kind, 0):g} {kind}s" for kind in ("GPU", "CPU"))


def _reason(error: BaseException | None) -> str:
    """One line: Ray says what happened first, an error from an actor at the end of its trace."""
    said = "" if error is None else words(error)
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if isinstance(error, RayTaskError) else 0]
