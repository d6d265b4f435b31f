"""Any other model in actors of a Ray cluster: `ray:vllm:MODEL` is the model `vllm:MODEL` as often as there is room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar, Literal

import ray
from pydantic import BaseModel, ConfigDict, Field

from tts import (
    BackendError,
    Candidate,
    Completion,
    ConfigError,
    Problem,
    Request,
    Score,
    Verdict,
    code_of,
    find_model,
)
from tts_backends.ray.pool import ActorPool, Wanted
from tts_backends.ray.work import Job

__all__ = ["RayBackend", "RayJudge", "RayScorer"]


class RayOptions(BaseModel):
    """What an actor needs; every other option is the model's own."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    actors: int | None = Field(None, ge=1)
    """How many copies of the model. By default one for each GPU of the cluster, or one for each node where there is no
    GPU.
    """

    gpus: float | None = Field(None, ge=0)
    """GPUs of each actor; a fraction shares one. By default 1 where the cluster has some, else none."""

    cpus: float = Field(1.0, ge=0)
    """CPU cores of each actor, as Ray counts them. By default 1 (Ray's own for a task)."""


class _OnRay:
    """A model in actors; the driver keeps everything else."""

    Options: type[BaseModel] = RayOptions
    _kind: ClassVar[Literal["backend", "scorer", "judge"]]

    def __init__(self, model: str, options: RayOptions) -> None:
        """Connect to the cluster and load the model in its actors; returns when the first one is ready.

        Raises `ConfigError`, `MissingDependencyError` or `BackendUnavailable`.
        """
        if model.startswith("ray:"):
            raise ConfigError(f"'ray:{model}' names Ray twice; give it once")
        found = find_model(self._kind, model, {name: str(one) for name, one in (options.model_extra or {}).items()})
        self.name = f"ray:{model}"
        _connect()
        self._wanted = _wanted(options)
        self._pool = ActorPool(self.name, tuple(found), self._wanted)
        about = self._pool.about
        # The model's own: what is stored does not know where it ran.
        self.fingerprint = about.fingerprint or code_of(found.cls, found.model, found.options)

    def outdated(self) -> bool:
        """Whether the model's files have changed since some actor has loaded them."""
        return self._pool.about.dated and self._pool.outdated()

    async def at_work(self) -> bool | None:
        """What the model on an actor says of itself."""
        return await asyncio.wrap_future(self._pool.call("at_work"))

    async def aclose(self) -> None:
        """End the actors; the cluster stays."""
        await asyncio.to_thread(self._pool.stop)


class RayBackend(_OnRay):
    """A policy on Ray: each request goes to the actor with the most room, in parts where none has room for all.

    `capabilities` are the model's; `concurrency` is that of all actors together.
    """

    _kind = "backend"

    def __init__(self, model: str, options: RayOptions) -> None:
        """As every model on Ray is loaded."""
        super().__init__(model, options)
        one = self._pool.about.capabilities
        assert one is not None, "a backend has capabilities; the engine checks for them"
        self.capabilities = one.model_copy(
            update={"concurrency": one.concurrency * self._wanted.actors, "streams": False}
        )

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yield the request's completions as they finish, wherever they are made; see `tts.Backend`."""
        if len(request.seeds) != request.n:
            raise ConfigError(
                f"a request for {request.n} completions has {len(request.seeds)} seeds; give one for each"
            )
        job = Job(request)
        self._pool.submit(job)
        left = request.n
        try:
            while left:
                arrived = await job.arrivals.get()
                if not isinstance(arrived, Completion):
                    raise arrived
                left -= 1
                yield arrived
        finally:
            if left:
                await self._withdraw(job)
            for usage in job.cancelled:
                request.on_cancelled(usage)

    async def _withdraw(self, job: Job) -> None:
        """Cancel what runs; what had finished and will not be taken counts as cancelled, too."""
        with contextlib.suppress(BackendError):  # closed: everything has ended
            await asyncio.wrap_future(self._pool.withdraw(job))
        while not job.arrivals.empty():
            arrived = job.arrivals.get_nowait()
            if isinstance(arrived, Completion):
                job.cancelled.append(arrived.usage.model_copy(update={"cancelled": 1}))

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, by the model."""
        return await asyncio.wrap_future(self._pool.call("count_tokens", list(texts)))


class RayScorer(_OnRay):
    """A reward model on Ray; a batch of responses goes to the actor with the least to do."""

    _kind = "scorer"

    def __init__(self, model: str, options: RayOptions) -> None:
        """As every model on Ray is loaded."""
        super().__init__(model, options)
        self.by_content, self.logprobs = self._pool.about.by_content, self._pool.about.logprobs

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """Scores in the order of the responses."""
        return await asyncio.wrap_future(self._pool.call("score", problem, list(responses)))


class RayJudge(_OnRay):
    """A judge that is a class of its own, on Ray; one that is a format has a backend on Ray instead."""

    _kind = "judge"

    def __init__(self, model: str, options: RayOptions) -> None:
        """As every model on Ray is loaded."""
        judge, _, backend = model.partition(":")
        if ":" in backend:
            raise ConfigError(f"judge 'ray:{model}': {judge!r} is a format, it comes first: '{judge}:ray:{backend}'")
        super().__init__(model, options)

    async def compare(self, problem: Problem, a: Candidate, b: Candidate, *, seed: int) -> Verdict:
        """Which of the two is better."""
        return await asyncio.wrap_future(self._pool.call("compare", problem, a, b, seed=seed))


def _connect() -> None:
    """Join the cluster of `RAY_ADDRESS`, or that of this machine, or start one here that ends with this process."""
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Stdout belongs to the command line's output, and what actors print would go there.
        ray.init(log_to_driver=False, logging_level=logging.ERROR)


def _wanted(options: RayOptions) -> Wanted:
    has = ray.cluster_resources().get("GPU", 0.0)
    gpus = options.gpus if options.gpus is not None else float(has > 0)
    nodes = sum(node["Alive"] for node in ray.nodes())
    actors = options.actors or max(1, int(has / gpus) if gpus else nodes)
    return Wanted(actors, gpus, options.cpus)
