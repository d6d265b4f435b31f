"""What a pool of Ray actors does where they are lost; a fake is the cluster. `make test-ray` kills real ones."""

from __future__ import annotations

import asyncio
import importlib
import sys
import types
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("torch")

from deaths import LIMIT, each_failure, raising, request

import tts
from tts import BackendError, BackendUnavailable, Completion, Request


class RayError(Exception):
    """By its name the one of Ray."""


class RayTaskError(RayError):
    """By its name the one of Ray."""


class Method:
    """A method of an actor: its calls run on the event loop of who calls."""

    def __init__(self, host: Any, name: str) -> None:
        self._host, self._name = host, name

    def remote(self, *arguments: Any) -> Any:
        return self._host.answer(self._name, arguments)


class Handle:
    """An actor in this process; `dead` makes everything that is asked of it fail."""

    def __init__(self, host: Any) -> None:
        self.host, self.dead = host, asyncio.Event()

    def __getattr__(self, name: str) -> Method:
        return Method(self, name)

    async def answer(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if self.dead.is_set():
            raise RayError("the actor is dead")
        if name == "__ray_ready__":
            return True
        if name in Cluster.planted:
            raise Cluster.planted[name]
        reply = asyncio.ensure_future(getattr(self.host, name)(*arguments))
        over = asyncio.ensure_future(self.dead.wait())
        await asyncio.wait({reply, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not reply.done():
            reply.cancel()
            raise RayError("the actor has died")
        return reply.result()


class Cluster(types.ModuleType):
    """What `ray.pool` uses of Ray."""

    planted: dict[str, BaseException] = {}
    handles: list[Handle] = []

    def remote(self, cls: type) -> Any:
        def start() -> Handle:
            if "start" in self.planted:
                raise self.planted["start"]
            self.handles.append(Handle(cls()))
            return self.handles[-1]

        return types.SimpleNamespace(options=lambda **_: types.SimpleNamespace(remote=start))

    def kill(self, handle: Handle) -> None:
        handle.dead.set()
        if "kill" in self.planted:
            raise self.planted["kill"]

    def cluster_resources(self) -> dict[str, float]:
        if "cluster_resources" in self.planted:
            raise self.planted["cluster_resources"]
        return {"CPU": 2.0}


class Slow:
    """A model whose completions come when they are let."""

    fingerprint = "slow"
    capabilities = tts.Capabilities(concurrency=4)
    failure: BaseException | None = None

    def __init__(self, model: str, options: Any) -> None: ...

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        while self.failure is None:
            await asyncio.sleep(0.01)
        raise self.failure
        yield

    async def count_tokens(self, texts: list[str]) -> list[int]:
        raise self.failure or AssertionError("not asked for")


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`ray.pool` on a cluster that is none."""
    exceptions = types.ModuleType("ray.exceptions")
    exceptions.RayError, exceptions.RayTaskError = RayError, RayTaskError  # type: ignore[attr-defined]
    cluster = Cluster("ray")
    monkeypatch.setitem(sys.modules, "ray", cluster)
    monkeypatch.setitem(sys.modules, "ray.exceptions", exceptions)
    monkeypatch.delitem(sys.modules, "tts_backends.ray.pool", raising=False)
    Cluster.planted, Cluster.handles, Slow.failure = {}, [], None
    yield importlib.import_module("tts_backends.ray.pool")
    sys.modules.pop("tts_backends.ray.pool", None)


def started(ray: Any, actors: int = 1) -> Any:
    return ray.ActorPool("ray:slow:m", (Slow, "m", None), ray.Wanted(actors, 0.0, 0.1))


def heard(pool: Any, then: Callable[[], None], requests: int = 3) -> list[Any]:
    """What arrives for requests that are under way when something happens."""
    from tts_backends.ray.work import Job

    async def main() -> list[Any]:
        jobs = [Job(request(2)) for _ in range(requests)]
        for one in jobs:
            pool.submit(one)
        await asyncio.sleep(0.1)
        await asyncio.to_thread(then)
        return [await asyncio.wait_for(one.arrivals.get(), LIMIT) for one in jobs]

    return asyncio.run(main())


def on_loop(pool: Any, call: Callable[[], Any]) -> Callable[[], None]:
    async def run() -> None:
        call()

    return lambda: pool._thread.submit(run()).result(LIMIT)


def kill_for_good() -> None:
    Cluster.planted = {"load": RayError("the cluster is gone")}
    for handle in Cluster.handles:
        handle.dead.set()


@pytest.mark.parametrize("beside", [{}, {"kill": RuntimeError("the cluster is gone")}], ids=["", "kill raises"])
def test_actors_that_are_lost_for_good_wake_every_request(ray: Any, beside: dict[str, BaseException]) -> None:
    pool = started(ray, 2)

    def then() -> None:
        kill_for_good()
        Cluster.planted |= beside

    for error in heard(pool, on_loop(pool, then)):
        assert isinstance(error, BackendError)
        assert "the cluster is gone" in str(error)
    with pytest.raises(BackendError, match="the cluster is gone"):
        pool.call("count_tokens", ["1"]).result(LIMIT)
    pool.stop()


def test_actors_that_cannot_be_started_any_more_wake_every_request(ray: Any) -> None:
    pool = started(ray)

    def then() -> None:
        Cluster.planted = {"start": ConnectionError("no cluster to connect to")}
        for handle in Cluster.handles:
            handle.dead.set()

    for error in heard(pool, on_loop(pool, then)):
        assert "no actor of 'ray:slow:m' can be started: ConnectionError: no cluster to connect to" in str(error)
    pool.stop()


def test_a_pool_that_cannot_start_an_actor_does_not_open(ray: Any) -> None:
    Cluster.planted = {"start": ValueError("planted")}
    with pytest.raises(BackendError, match="can be started: ValueError: planted"):
        started(ray)


def test_closing_wakes_every_request_also_where_an_actor_cannot_be_killed(ray: Any) -> None:
    pool = started(ray)

    def then() -> None:
        Cluster.planted = {"kill": RuntimeError("planted")}
        pool.stop()

    for error in heard(pool, then):
        assert "'ray:slow:m' is closed" in str(error)
    assert not pool._thread._thread.is_alive()


def test_a_request_that_cannot_be_sent_fails_alone(ray: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tts_backends.ray import work as ray_work

    pool = started(ray)
    monkeypatch.setattr(ray_work.Part, "request", raising(ValueError("planted")))
    for error in heard(pool, lambda: None):
        assert str(error) == "the request to 'ray:slow:m' raised ValueError: planted"
    pool.stop()


def test_a_cluster_that_tells_nothing_does_not_keep_who_waits_for_room(
    ray: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "PATIENCE", 0.2)
    Cluster.planted = {"cluster_resources": RuntimeError("planted")}
    monkeypatch.setattr(Handle, "answer", lambda self, name, arguments: asyncio.sleep(3600))
    with pytest.raises(BackendUnavailable, match=r"resources that it does not tell \(RuntimeError: planted\)"):
        started(ray)


@each_failure
def test_what_a_model_raises_in_its_actor_is_heard_of(ray: Any, failure: BaseException) -> None:
    """SystemExit would end the actor's loop with all its requests, and nobody would answer the driver."""
    pool = started(ray)
    for error in heard(pool, lambda: setattr(Slow, "failure", failure)):
        assert isinstance(error, BackendError)
        assert str(error) == f"m raised {type(failure).__name__}: planted"
    with pytest.raises(BackendError, match=f"raised {type(failure).__name__}: planted"):
        pool.call("count_tokens", ["1"]).result(LIMIT)
    pool.stop()
