"""What hosts of vLLM, SGLang and Ray do where an engine, an actor or a watcher fails; fakes take the engines' place.

`make test-vllm`, `make test-sglang` and `make test-ray` kill real ones.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import subprocess
import sys
import threading
import time
import types
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("torch")

from waiting import until

import tts
from tts import BackendError, BackendUnavailable, Completion, Message, Request
from tts_backends.processes import guard as process_guard
from tts_backends.processes.guard import ProcessGuard
from tts_backends.sglang import process as sglang_process
from tts_backends.vllm import engine as vllm_engine

LIMIT = 30.0  # seconds in which they must have heard
FAILURES = [RuntimeError("planted"), KeyboardInterrupt("planted"), SystemExit("planted"), MemoryError("planted")]
each_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda one: type(one).__name__)


def raising(failure: BaseException) -> Callable[..., Any]:
    def planted(*_: Any, **__: Any) -> Any:
        raise failure

    return planted


def request(n: int = 3, **fields: Any) -> Request:
    return Request(messages=(Message(role="user", content="1+2"),), n=n, seeds=tuple(range(n)), **fields)


# --- vLLM ------------------------------------------------------------------------------------------------------------


class EngineDeadError(Exception):
    """By its name the one of vLLM."""


class Engine:
    """An AsyncLLM: writes a token for each request, when it is let."""

    def __init__(self) -> None:
        self.go, self.failure, self.reason = asyncio.Event(), None, "stop"
        self.shut = False

    async def get_supported_tasks(self) -> tuple[str, ...]:
        return ("classify",)

    async def generate(self, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        made = types.SimpleNamespace(
            finish_reason=self.reason, stop_reason=None, token_ids=[1], cumulative_logprob=None
        )
        yield types.SimpleNamespace(outputs=[made], num_cached_tokens=0)

    async def encode(self, *arguments: Any) -> AsyncGenerator[Any, None]:
        async for _ in self.generate():
            values = types.SimpleNamespace(tolist=lambda: [0.5])
            yield types.SimpleNamespace(outputs=types.SimpleNamespace(data=values))

    async def abort(self, _: list[str]) -> None:
        self.go.set()

    def shutdown(self, timeout: float) -> None:
        self.shut = True


class Guard:
    """A ProcessGuard without a process."""

    told: list[str] = []

    def __init__(self) -> None:
        type(self).told = []

    def __getattr__(self, word: str) -> Callable[[], None]:
        return lambda: type(self).told.append(word)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[vllm_engine.RunningEngine]:
    async def start(*_: Any) -> Engine:
        return Engine()

    inputs = types.SimpleNamespace(tokens_input=lambda ids: ids)
    vllm = types.SimpleNamespace(PoolingParams=lambda **_: None, inputs=inputs)
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    monkeypatch.setitem(sys.modules, "vllm.inputs", inputs)
    monkeypatch.setattr(vllm_engine, "ProcessGuard", Guard)
    monkeypatch.setattr(vllm_engine, "_start", start)
    engine = vllm_engine.RunningEngine("vllm:x", None)  # type: ignore[arg-type]
    yield engine
    engine.stop()
    assert Guard.told[-1] in {"release", "end"}


async def arrivals(job: vllm_engine.Job) -> list[Any]:
    return [await asyncio.wait_for(job.arrivals.get(), LIMIT) for _ in range(job.request.n)]


def job(n: int = 3) -> vllm_engine.Job:
    return vllm_engine.Job(request(n), types.SimpleNamespace(ids=[1, 2]), [None] * n)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "told"), [("abort", "aborted a request by itself"), (None, "aborted"), ("error", "inside the engine")]
)
def test_what_the_engine_broke_off_by_itself_is_no_sample(
    engine: vllm_engine.RunningEngine, reason: str | None, told: str
) -> None:
    engine.llm.reason = reason

    async def main() -> list[Any]:
        mine = job()
        engine.submit(mine)
        engine._thread._loop.call_soon_threadsafe(engine.llm.go.set)
        return await arrivals(mine)

    heard = asyncio.run(main())
    assert all(told in str(one.error) and one.error.retryable for one in heard)


def test_what_is_withdrawn_arrives_with_its_tokens(engine: vllm_engine.RunningEngine) -> None:
    engine.llm.reason = "abort"

    async def main() -> list[Any]:
        mine = job()
        engine.submit(mine)
        await asyncio.sleep(0.05)
        engine.withdraw(mine)
        return await arrivals(mine)

    assert [(one.finish_reason, one.tokens) for one in asyncio.run(main())] == [("abort", [1])] * 3


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (EngineDeadError(), r"the engine of 'vllm:x' has died"),
        (RuntimeError("planted"), r"'vllm:x': RuntimeError: planted"),
        (KeyboardInterrupt("planted"), r"KeyboardInterrupt: planted"),
        (SystemExit("planted"), r"SystemExit: planted"),
        (asyncio.CancelledError(), r"'vllm:x' cancelled a request by itself"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_every_completion_and_score_hears_what_the_engine_raised(
    engine: vllm_engine.RunningEngine, failure: BaseException, told: str
) -> None:
    async def main() -> tuple[list[Any], Any]:
        mine = job()
        engine.submit(mine)
        score = asyncio.wrap_future(engine.score([1]))
        await asyncio.sleep(0.05)
        engine.llm.failure = failure
        engine._thread._loop.call_soon_threadsafe(engine.llm.go.set)
        return await arrivals(mine), (await asyncio.gather(asyncio.wait_for(score, LIMIT), return_exceptions=True))[0]

    heard, score = asyncio.run(main())
    for error in [*(one.error for one in heard), score]:
        assert isinstance(error, BackendError)
        assert re.search(told, str(error))

    async def again() -> list[Any]:
        engine.llm.failure = None
        mine = job()
        engine.submit(mine)
        return await arrivals(mine)

    assert [one.tokens for one in asyncio.run(again())] == [[1]] * 3, "the loop and the engine go on"


def test_closing_wakes_who_waits_for_a_completion_or_a_score(engine: vllm_engine.RunningEngine) -> None:
    async def main() -> list[BaseException]:
        mine = job()
        engine.submit(mine)
        score = asyncio.wrap_future(engine.score([1]))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(engine.stop)
        heard = [one.error for one in await arrivals(mine)]
        return [*heard, *await asyncio.gather(score, return_exceptions=True)]

    for error in asyncio.run(main()):
        assert isinstance(error, BackendError)
        assert "'vllm:x' is closed" in str(error)


@each_failure
def test_an_engine_that_fails_at_its_end_is_ended_by_the_guard(
    engine: vllm_engine.RunningEngine, failure: BaseException
) -> None:
    engine.llm.shutdown = raising(failure)
    with pytest.raises((type(failure), BackendError), match="planted"):
        engine.stop()
    assert Guard.told == ["started", "end"]
    assert not engine._thread._thread.is_alive()


def test_an_engine_that_does_not_end_is_ended_by_the_guard(
    engine: vllm_engine.RunningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_engine, "_END_SECONDS", 0.2)
    over = threading.Event()
    engine.llm.shutdown = lambda timeout: over.wait(LIMIT)
    Guard.end = lambda self: (self.told.append("end"), over.set())  # type: ignore[attr-defined]
    try:
        with pytest.raises(TimeoutError):
            engine.stop()
    finally:
        del Guard.end  # type: ignore[attr-defined]
    assert Guard.told == ["started", "end"]


@each_failure
@pytest.mark.parametrize("point", ["_start", "started"])
def test_an_engine_that_does_not_start_leaves_the_next_one_its_turn(
    point: str, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(*_: Any) -> Any:
        if point == "_start":
            raise failure
        return Engine()

    monkeypatch.setattr(vllm_engine, "_start", start)
    if point == "started":
        monkeypatch.setattr(ProcessGuard, "started", raising(failure))
    with pytest.raises((BackendUnavailable, KeyboardInterrupt, SystemExit), match="planted"):
        vllm_engine.RunningEngine("vllm:x", None)  # type: ignore[arg-type]
    assert process_guard._one_at_a_time.acquire(timeout=5)
    process_guard._one_at_a_time.release()


# --- the watcher beside an engine, and the process of SGLang ----------------------------------------------------------


@pytest.mark.parametrize("when", ["starting", "started"])
def test_a_watcher_that_is_killed_keeps_nobody(when: str) -> None:
    guard = ProcessGuard()
    if when == "started":
        guard.started()
    guard._watcher.kill()
    guard._watcher.wait()
    guard.started()
    guard.end()
    ProcessGuard().end()  # the next one has its turn


def test_a_watcher_that_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(process_guard, "_WATCHER", silent)
    monkeypatch.setattr(process_guard, "_FIRST_SECONDS", 0.2)
    monkeypatch.setattr(process_guard, "_LAST_SECONDS", 0.2)
    with pytest.raises(BackendError, match="does not start"):
        ProcessGuard()
    assert process_guard._one_at_a_time.acquire(timeout=5)
    process_guard._one_at_a_time.release()


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_sglangs_process_that_dies_while_it_starts_is_not_waited_for(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork of it goes on and holds the pipe, so that reading alone would not end."""
    host = tmp_path / "host.py"
    host.write_text(
        "import os, signal, sys, time\n"
        "if os.fork() == 0:\n    time.sleep(600)\n"
        + ("os._exit(3)\n" if end == "exit" else "os.kill(os.getpid(), signal.SIGKILL)\n")
    )
    popen, started = subprocess.Popen, []

    def start(command: list[str], **options: Any) -> Any:
        started.append(popen([sys.executable, str(host)], **options))
        return started[-1]

    monkeypatch.setattr(sglang_process.subprocess, "Popen", start)
    began = time.monotonic()
    with pytest.raises(BackendUnavailable, match="the engine's process ended while it started"):
        sglang_process.EngineProcess("sglang:x", "nowhere", {}, {})
    assert time.monotonic() - began < LIMIT
    until(lambda: not _group_is_there(started[0].pid))


def _group_is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_sglangs_process_says_last_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = tmp_path / "host.py"
    host.write_text('print(\'{"refused": "planted"}\', flush=True)\n')
    popen = subprocess.Popen
    monkeypatch.setattr(
        sglang_process.subprocess, "Popen", lambda command, **rest: popen([sys.executable, str(host)], **rest)
    )
    with pytest.raises(tts.ConfigError, match="sglang:x: planted"):
        sglang_process.EngineProcess("sglang:x", "nowhere", {}, {})


# --- Ray -------------------------------------------------------------------------------------------------------------


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
