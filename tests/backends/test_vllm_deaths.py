"""What the host of vLLM does where its engine fails; a fake is the engine. `make test-vllm` kills real ones."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import types
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("torch")

from deaths import LIMIT, each_failure, raising, request

from tts import BackendError, BackendUnavailable
from tts_backends.processes import guard as process_guard
from tts_backends.processes.guard import ProcessGuard
from tts_backends.vllm import engine as vllm_engine


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
