"""Whoever waits for the store, a draw, a slot, a model or the loop beside a loop hears of it when that fails."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from deaths import LIMIT, raising
from doubles import FakeBackend
from waiting import soon, until

import tts
from tts.bridge import loop as bridge
from tts.engine.budget import Budget
from tts.engine.draws import Draw, Drawer
from tts.engine.limiter import Limiter
from tts.engine.models import Loaded, ModelPool
from tts.engine.pool import Pool
from tts.store import writer

PROBLEM = tts.Problem(id="1", prompt="1+1")
FAILURES = [OSError("planted"), MemoryError("planted"), KeyboardInterrupt("planted"), SystemExit("planted")]
each_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda one: type(one).__name__)


def flush(store: tts.Store, times: int = 3) -> list[BaseException | None]:
    async def main() -> list[Any]:
        waiting = (asyncio.wait_for(store.flushed(), LIMIT) for _ in range(times))
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(main())


@each_failure
@pytest.mark.parametrize("point", ["connect", "_gather", "_commit", "_insert"])
def test_a_store_that_cannot_write_tells_everybody(
    point: str, failure: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tts.Store(tmp_path / "s.db")
    owner = {"connect": store._database, "_insert": writer}.get(point, store._writer)
    monkeypatch.setattr(owner, point, raising(failure))
    store.put_problem(PROBLEM)
    for error in [*flush(store), *flush(store)]:
        assert type(error) is tts.StoreError
        assert f"{type(failure).__name__}: planted" in str(error)
    with pytest.raises(tts.StoreError, match="planted"):
        store.put_problem(PROBLEM)
    with pytest.raises(tts.StoreError, match="planted"):
        store.close()
    store.close()


def test_a_rollback_that_fails_does_not_end_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(sqlite3.Connection):
        def __exit__(self, *_: object) -> Any:
            raise sqlite3.OperationalError("disk I/O error while rolling back")

    store = tts.Store(tmp_path / "s.db")
    broken = sqlite3.connect(tmp_path / "s.db", isolation_level=None, check_same_thread=False, factory=Broken)
    monkeypatch.setattr(store._database, "connect", lambda: broken)
    store.put_problem(PROBLEM)
    assert [type(error) for error in flush(store)] == [tts.StoreError] * 3
    with pytest.raises(tts.StoreError, match="rolling back"):
        store.close()


def test_nobody_waits_for_a_store_that_is_closed_meanwhile(tmp_path: Path) -> None:
    """Flushing on one thread while another closes: told, or flushed, but never left."""
    for turn in range(30):
        store = tts.Store(tmp_path / f"{turn}.db")
        closing = threading.Thread(target=store.close)

        async def main(store: tts.Store = store, closing: threading.Thread = closing) -> None:
            closing.start()
            for _ in range(1000):
                await asyncio.wait_for(store.flushed(), LIMIT)

        with pytest.raises(tts.StoreError, match="is closed"):
            asyncio.run(main())
        closing.join(LIMIT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_is_told_that_it_has_no_writer(tmp_path: Path) -> None:
    with tts.Store(tmp_path / "s.db") as store:
        if (child := os.fork()) == 0:
            code = 1
            try:
                store.put_problem(PROBLEM)
            except tts.StoreError:
                code = 7
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_waiter_that_is_thrown_away_takes_no_slot_with_it() -> None:
    """A coroutine that is closed, as the garbage collector does it, gets GeneratorExit and no CancelledError."""

    async def main() -> int:
        limiter = Limiter(2)
        assert await limiter.acquire(2, (0, 0)) == 2
        thrown = limiter.acquire(2, (0, 1))
        thrown.send(None)
        thrown.close()
        limiter.release(2)
        return await asyncio.wait_for(limiter.acquire(2, (0, 2)), LIMIT)

    assert asyncio.run(main()) == 2


class Works(FakeBackend):
    """Solves sums."""


class Failing(FakeBackend):
    """Raises what it is told to, where it is told to."""

    failure: BaseException = RuntimeError("planted")
    point = "first"

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        if self.point == "first":
            raise self.failure
        async for completion in super().generate(request):
            yield completion
            raise self.failure


def pool(backend: Any, **drawing: Any) -> Pool:
    model = Loaded("fake:m", backend, Limiter(8), None)
    messages = (tts.Message(role="user", content="1+1"),)
    draw = Draw(PROBLEM, "sample", model, messages, tts.Sampling())
    return Pool(Drawer(None, lambda text: text, Budget(), **drawing), draw, (1, 0))


async def several(pool: Pool) -> list[asyncio.Task[Any]]:
    """Three that wait in different ways, and have begun to."""

    async def stream() -> list[tts.Candidate]:
        return [candidate async for candidate in pool.stream(4)]

    waiting = [asyncio.create_task(work) for work in (pool.take(4), pool.take(2), stream())]
    await asyncio.sleep(0)
    return waiting


@pytest.mark.parametrize("point", ["first", "later"])
@pytest.mark.parametrize(
    "failure",
    [RuntimeError("planted"), tts.BudgetExceededError("planted"), asyncio.CancelledError("planted")],
    ids=lambda one: type(one).__name__,
)
def test_whoever_waits_for_a_draw_hears_of_its_failure(point: str, failure: BaseException) -> None:
    async def main() -> list[Any]:
        backend = Failing("m", None)
        backend.failure, backend.point = failure, point
        shared = pool(backend)
        waiting = await several(shared)
        done = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), LIMIT)
        await shared.cancel()
        return done

    for heard in asyncio.run(main()):
        if isinstance(heard, list):
            cancelled = isinstance(failure, asyncio.CancelledError)
            sentence = "cancelled its own request" if cancelled else f"raised {type(failure).__name__}: planted"
            assert {one.error for one in heard if one.error} <= {f"'fake:m' {sentence}"}
        else:
            assert isinstance(heard, tts.BudgetExceededError | tts.BackendError)


def test_whoever_waits_for_a_draw_that_is_cancelled_before_it_begins_hears_of_it() -> None:
    async def main() -> list[Any]:
        shared = pool(Works("m", None))
        waiting = [asyncio.ensure_future(shared.take(2))]
        shared.ensure(2)  # its pump is made, and has not begun
        (pump,) = shared._pumps
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        shared._waiters.append((2, waiter))  # as who waits does, in this very turn of the loop
        await shared.cancel()
        assert pump.cancelled()
        await asyncio.wait_for(waiter, LIMIT)
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), LIMIT)

    (heard,) = asyncio.run(main())
    assert isinstance(heard, tts.BackendError) or len(heard) == 2


def loading(constructor: Callable[[], Any]) -> list[Any]:
    """What three hear who ask for the same model at once."""

    class Loading(FakeBackend):
        def __init__(self, model: str, options: Any) -> None:
            constructor()
            super().__init__(model, options)

    tts.plugins().register("backend", "fake", Loading)

    async def main() -> list[Any]:
        models = ModelPool()
        asking = [asyncio.wait_for(models.get("backend", "fake:m", None), LIMIT) for _ in range(3)]
        return await asyncio.gather(*asking, return_exceptions=True)

    return asyncio.run(main())


@pytest.mark.parametrize("failure", [RuntimeError("planted"), MemoryError("planted"), StopIteration("planted")])
def test_whoever_waits_for_a_model_that_cannot_be_loaded_hears_of_it(failure: Exception) -> None:
    """StopIteration too, which is what `next` raises in a constructor: no future of asyncio takes it."""
    for heard in loading(raising(failure)):
        assert type(heard) is tts.BackendError
        assert type(failure).__name__ in str(heard)
        assert "planted" in str(heard)


def test_who_waits_for_a_model_whose_loader_is_cancelled_may_try_again() -> None:
    go = threading.Event()

    class Slow(FakeBackend):
        def __init__(self, model: str, options: Any) -> None:
            assert go.wait(LIMIT)
            super().__init__(model, options)

    tts.plugins().register("backend", "fake", Slow)

    async def main() -> None:
        models = ModelPool()
        first = asyncio.create_task(models.get("backend", "fake:m", None))
        await soon(lambda: len(models) == 1, first)
        second = asyncio.create_task(models.get("backend", "fake:m", None))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(tts.BackendError, match="loading backend 'fake:m' was broken off") as caught:
            await asyncio.wait_for(second, LIMIT)
        assert caught.value.retryable
        with pytest.raises(asyncio.CancelledError):
            await first
        go.set()
        assert (await asyncio.wait_for(models.get("backend", "fake:m", None), LIMIT)).model.model == "m"

    asyncio.run(main())


@pytest.mark.parametrize("inside", [False, True])
def test_a_loop_that_cannot_be_made_is_heard_of(inside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no more files can be opened; also inside a running loop, and when Ctrl-C comes at that moment."""

    async def nothing() -> None: ...

    async def beside() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(bridge.asyncio.Runner, "get_loop", failing)
            bridge.run_sync(nothing)

    def failing(_: Any) -> None:
        raise OSError("too many open files")

    run = asyncio.run
    if inside:
        with pytest.raises(OSError, match="too many open files"):
            run(asyncio.wait_for(beside(), LIMIT))
        return
    monkeypatch.setattr(bridge.asyncio.Runner, "get_loop", failing)
    with pytest.raises(OSError, match="too many open files"):
        bridge.run_sync(nothing)


def test_ctrl_c_does_not_wait_for_a_loop_that_never_was(monkeypatch: pytest.MonkeyPatch) -> None:
    waited_for = threading.Event()

    async def nothing() -> None: ...

    def failing(_: Any) -> None:
        assert waited_for.wait(LIMIT)
        raise OSError("too many open files")

    def interrupted(futures: Any, timeout: float) -> None:
        waited_for.set()
        until(futures[0].done)
        raise KeyboardInterrupt

    monkeypatch.setattr(bridge.asyncio, "get_running_loop", lambda: None)  # as in a notebook
    monkeypatch.setattr(bridge.asyncio.Runner, "get_loop", failing)
    monkeypatch.setattr(bridge.concurrent.futures, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bridge.run_sync(nothing)
