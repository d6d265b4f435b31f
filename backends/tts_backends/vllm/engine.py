"""The running engine: vLLM's AsyncLLM on an event loop of its own, one engine request for each completion.

Completions of one prompt are requests of their own because each has its own seed; the engine's prefix cache shares
their prefill, as it does for the `n` of one request.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tts import BackendError, BackendUnavailable, Request
from tts_backends.checkpoints.chat import Prompt
from tts_backends.processes.guard import ProcessGuard
from tts_backends.processes.loop_thread import LoopThread
from tts_backends.vllm.load import Engine, first_line
from tts_backends.vllm.steps import Steps

_GRACE = 10.0  # seconds for the engine's processes to end by themselves
_END_SECONDS = 60.0  # for all of the engine's end; then its processes are killed
_ids = itertools.count()


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion as the engine left it; an aborted one has the tokens that were made until then."""

    index: int
    tokens: list[int]
    cached_tokens: int
    finish_reason: str
    stopped_by: str | None
    logprob: float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """One completion that failed."""

    index: int
    error: BackendError


class Job:
    """One request on its way through the engine; made on the caller's loop, worked on by the engine's.

    Every index arrives exactly once, as a `Sample` or a `Failure`.
    """

    def __init__(self, request: Request, prompt: Prompt, parameters: list[Any]) -> None:
        self.request, self.prompt, self.parameters = request, prompt, parameters
        self.name = f"tts-{next(_ids)}"
        self.cancelled = False
        self.arrivals: asyncio.Queue[Sample | Failure] = asyncio.Queue()
        self.heard: Callable[[int, list[int]], None] | None = None  # on the caller's loop: all tokens so far
        self._loop = asyncio.get_running_loop()

    def give(self, item: Sample | Failure) -> None:
        """From the engine's thread: a completion is over."""
        self._post(self.arrivals.put_nowait, item)

    def tell(self, index: int, tokens: list[int]) -> None:
        """From the engine's thread: a completion has these tokens by now."""
        if self.heard is not None:
            self._post(self.heard, index, tokens)

    def _post(self, call: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *args)


class RunningEngine:
    """Starts an engine and feeds it; methods may be called from any thread."""

    def __init__(self, name: str, engine: Engine) -> None:
        self._name, self._closed, self._owner = name, False, os.getpid()
        self._closing = threading.Lock()
        self._tasks: set[asyncio.Task[Sample]] = set()
        self.steps: Steps = Steps()
        self._thread = LoopThread("tts-vllm")
        try:
            self._guard = ProcessGuard()
        except BaseException:
            self._thread.stop()
            raise
        try:  # whatever happens, the guard is told: the next engine waits for it
            self.llm: Any = self._thread.submit(_start(engine, self.steps)).result()
            self.supported: tuple[str, ...] = self._thread.submit(self.llm.get_supported_tasks()).result()
            self._guard.started()
        except BaseException as error:
            self._guard.end()
            self._thread.stop()
            if not isinstance(error, Exception):
                raise
            reason = f"vllm cannot start {name!r}: {first_line(error)}; its messages above say more"
            raise BackendUnavailable(reason, retryable=False) from error
        # By now multiprocessing has registered its own, which waits for the engine's processes: ours is called before.
        atexit.register(self.stop)

    def submit(self, job: Job) -> None:
        """Start a job; raises `BackendError` once the engine is stopped."""
        with self._closing:
            if self._closed:
                raise self._closed_error()
            self._thread.submit(self._serve(job))

    def score(self, ids: list[int]) -> Future[float]:
        """What the head of a classifier says of these tokens; raises `BackendError` once the engine is stopped."""
        with self._closing:
            if self._closed:
                raise self._closed_error()
            return self._thread.submit(self._classify(ids))

    def withdraw(self, job: Job) -> None:
        """Abort what is left of a job at the engine; it arrives with the tokens that were made."""
        job.cancelled = True
        with self._closing:
            if self._closed:
                return  # everything has failed already
            self._thread.submit(self.llm.abort([f"{job.name}-{i}" for i in range(job.request.n)]))

    def stop(self) -> None:
        """End the engine and its processes; what is unfinished fails."""
        if os.getpid() != self._owner:
            return  # a fork that ends: the engine is not its own
        with self._closing:
            if self._closed:
                return
            self._closed = True
        try:
            self._thread.submit(self._end()).result(_END_SECONDS)
        except BaseException:
            self._guard.end()
            raise
        else:
            self._guard.release()
        finally:
            self._thread.stop()
            atexit.unregister(self.stop)

    async def _serve(self, job: Job) -> None:
        for index in range(job.request.n):
            task = asyncio.create_task(self._sample(job, index))
            self._tasks.add(task)
            task.add_done_callback(functools.partial(self._over, job, index))

    def _over(self, job: Job, index: int, task: asyncio.Task[Sample]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            job.give(Failure(index, self._closed_error() if self._closed else self._cancelled_error()))
        elif (error := task.exception()) is not None:
            job.give(Failure(index, self._classified(error)))
        else:
            job.give(task.result())

    async def _sample(self, job: Job, index: int) -> Sample:
        from vllm.inputs import tokens_input

        if job.cancelled:
            return Sample(index, [], 0, "abort", None, None)
        # Nothing here waits before the engine knows the request, so `withdraw` finds every one that has begun.
        running = self.llm.generate(
            tokens_input(job.prompt.ids),
            job.parameters[index],
            f"{job.name}-{index}",
            priority=job.request.priority,
        )
        output: Any = None
        tokens: list[int] = []
        async for output in running:
            tokens += output.outputs[0].token_ids  # all of them at once where nobody reads along
            job.tell(index, tokens)
        if output is None:
            raise BackendError(f"{self._name!r} ended a request without an answer", retryable=True)
        made = output.outputs[0]
        if made.finish_reason == "error":
            raise BackendError(f"{self._name!r} failed on a request inside the engine", retryable=True)
        if made.finish_reason in {"abort", None} and not job.cancelled:  # nobody here has asked for that
            raise BackendError(f"{self._name!r} aborted a request by itself", retryable=True)
        by = made.stop_reason if isinstance(made.stop_reason, str) else None
        word = str(made.finish_reason or "abort")
        return Sample(index, tokens, output.num_cached_tokens or 0, word, by, made.cumulative_logprob)

    async def _classify(self, ids: list[int]) -> float:
        from vllm import PoolingParams
        from vllm.inputs import tokens_input

        parameters = PoolingParams(task="classify", use_activation=False)
        try:
            async for output in self.llm.encode(tokens_input(ids), parameters, f"tts-{next(_ids)}"):
                (value,) = output.outputs.data.tolist()
            return float(value)
        except asyncio.CancelledError:
            raise (self._closed_error() if self._closed else self._cancelled_error()) from None
        except Exception as error:  # the engine may raise anything; who waits must hear of it
            raise self._classified(error) from error

    def _closed_error(self) -> BackendError:
        return BackendError(f"{self._name!r} is closed")

    def _cancelled_error(self) -> BackendError:
        return BackendError(f"{self._name!r} cancelled a request by itself")

    def _classified(self, error: BaseException) -> BackendError:
        """The error as one of ours; it runs where nobody could hear of another, so it looks a class up by its name."""
        if isinstance(error, BackendError):
            return error
        found: BackendError
        if any(kind.__name__ == "EngineDeadError" for kind in type(error).__mro__):
            found = BackendUnavailable(f"the engine of {self._name!r} has died; its messages say why", retryable=False)
        else:
            cause = error.__cause__ or error
            found = BackendError(f"{self._name!r}: {type(cause).__name__}: {first_line(cause)}")
        found.__cause__ = error
        return found

    async def _end(self) -> None:
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self.llm.shutdown(timeout=_GRACE)
        self.llm = None  # what it does when it is collected must not wait until the interpreter has gone


async def _start(engine: Engine, steps: Steps) -> Any:
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.executor import Executor

    llm = AsyncLLM(
        vllm_config=engine.config,
        executor_class=Executor.get_class(engine.config),
        log_stats=not engine.arguments.disable_log_stats,
        log_requests=engine.arguments.enable_log_requests,
        stat_loggers=[steps.logger()],
    )
    await llm.get_supported_tasks()  # asked for by the first request otherwise, which would wait in between
    return llm
