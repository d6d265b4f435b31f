"""Whatever ends a thread that models run on, everybody who waits for it hears of it, and why."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig
from waiting import joined, soon

from tts import BackendError, Completion, Message, Request, Sampling
from tts_backends.foreign import in_thread, told
from tts_backends.hf import HFBackend
from tts_backends.hf.score_batch import LengthBatcher
from tts_backends.processes.loop_thread import LoopThread

LIMIT = 30.0  # seconds in which they must have heard
FAILURES = [RuntimeError("planted"), KeyboardInterrupt("planted"), SystemExit("planted"), MemoryError("planted")]
each_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda one: type(one).__name__)
ends_a_thread = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class Unspeakable(Exception):  # noqa: N818 - it has no words
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.fixture
def backend(llama: Path) -> Iterator[HFBackend]:
    backend = HFBackend(str(llama), HFBackend.Options(max_batch=4))
    yield backend
    asyncio.run(asyncio.wait_for(backend.aclose(), LIMIT))


def request(n: int = 3, **fields: Any) -> Request:
    message = Message(role="user", content="What is 3*8?")
    return Request(
        messages=(message,), n=n, seeds=tuple(range(n)), sampling=Sampling(max_tokens=16, temperature=1.0), **fields
    )


async def collect(backend: HFBackend, asked: Request) -> list[Completion]:
    return [one async for one in backend.generate(asked)]


def all_hear(backend: HFBackend, requests: int = 4) -> list[BaseException | list[Completion]]:
    """What several requests at once bring, each within the limit."""

    async def main() -> list[Any]:
        asking = (asyncio.wait_for(collect(backend, request()), LIMIT) for _ in range(requests))
        return await asyncio.gather(*asking, return_exceptions=True)

    return asyncio.run(main())


def raising(failure: BaseException, times: int = 1) -> Callable[..., Any]:
    left = [failure] * times

    def plant(before: Callable[..., Any]) -> Callable[..., Any]:
        def planted(*args: Any, **kwargs: Any) -> Any:
            if left:
                raise left.pop()
            return before(*args, **kwargs)

        return planted

    return plant


# Where the thread can fail: in the model, around it, and where it makes up for a failure.
WORK = ["_forward", "_prefill", "join", "step", "_seat", "_append", "_take_out"]


@each_failure
@pytest.mark.parametrize("point", WORK)
def test_a_failing_step_is_heard_of_and_the_next_request_is_served(
    backend: HFBackend, point: str, failure: BaseException
) -> None:
    decoder = backend._batcher._decoder
    setattr(decoder, point, raising(failure)(getattr(decoder, point)))
    heard = all_hear(backend, 2)
    errors = [one for one in heard if isinstance(one, BaseException)]
    # With fewer rows at once the memory may do; rows that are taken out are finished, and not lost.
    assert errors or isinstance(failure, MemoryError) or point == "_take_out"
    for error in errors:
        assert type(error) is BackendError
        assert str(error) == f"the model raised {type(failure).__name__}: planted"
        assert error.__cause__ is failure
    assert [len(one) for one in all_hear(backend) if isinstance(one, list)] == [3] * 4


@each_failure
@pytest.mark.parametrize("point", ["_receive", "_recover", "_fail_live", "_drop_cancelled", "_admit", "_finish"])
def test_a_thread_that_ends_wakes_everybody_and_refuses_the_next(
    backend: HFBackend, point: str, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = backend._batcher
    if point != "_receive":
        batcher._decoder.step = raising(RuntimeError("a failure to make up for"), 10**6)(None)
    if point in {"_drop_cancelled", "_admit", "_finish"}:
        monkeypatch.setattr(batcher, "_recover", raising(failure, 10**6)(None))
    monkeypatch.setattr(batcher, point, raising(failure, 10**6)(None))
    heard = all_hear(backend)
    heard += all_hear(backend, 1)
    assert len(heard) == 5
    for error in heard:
        assert type(error) is BackendError
        assert str(error) == f"the thread of the hf backend raised {type(failure).__name__}: planted"
    joined(batcher._thread)


def test_an_error_that_cannot_say_what_it_is_is_named_by_its_kind(backend: HFBackend) -> None:
    backend._batcher._decoder.step = raising(Unspeakable())(backend._batcher._decoder.step)
    (error,) = all_hear(backend, 1)
    assert str(error) == "the model raised Unspeakable: (its message raised ValueError)"


def test_a_request_that_is_withdrawn_while_the_thread_ends_is_let_go(backend: HFBackend) -> None:
    batcher, going = backend._batcher, threading.Event()
    step = batcher._decoder.step

    def slow() -> Any:
        assert going.wait(LIMIT)
        return step()

    batcher._decoder.step = slow
    spent = []

    async def main() -> None:
        generator = backend.generate(request(on_cancelled=spent.append))
        waiting = asyncio.ensure_future(anext(generator))
        await soon(lambda: len(batcher._live) == 3, waiting)
        waiting.cancel()
        await asyncio.sleep(0.05)  # it waits for the thread to let go of its rows
        batcher._drop_cancelled = raising(SystemExit("planted"), 10**6)(None)
        batcher._recover = raising(SystemExit("planted"), 10**6)(None)
        going.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, LIMIT)

    asyncio.run(main())
    assert len(spent) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_is_told_that_it_has_no_thread(backend: HFBackend) -> None:
    """As in a worker of a data loader: the thread stayed with the parent."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            backend._batcher.submit(None)  # type: ignore[arg-type]  # it comes to no job
        except BaseException as error:
            os.write(writer, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as said:
        assert "loaded before this process was forked" in said.read()


class Model(torch.nn.Module):
    """Fails as it is told; scores a conversation by its first token."""

    def __init__(self, failure: BaseException | None = None) -> None:
        super().__init__()
        self.config, self.device, self.failure = LlamaConfig(pad_token_id=0), torch.device("cpu"), failure

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        if self.failure is not None:
            raise self.failure
        return type("Output", (), {"logits": input_ids[:, :1].float()})


def read(logits: torch.Tensor, batch: Any) -> list[float]:
    return logits[:, 0].tolist()


@each_failure
def test_a_failing_scorer_is_heard_of_and_goes_on(failure: BaseException) -> None:
    model = Model(failure)
    batcher = LengthBatcher(model, 4, 1000, read)
    for score in [batcher.submit([i, i]) for i in range(1, 10)]:
        with pytest.raises(BackendError, match=rf"the scoring model raised {type(failure).__name__}: planted"):
            score.result(LIMIT)
    model.failure = None
    assert batcher.submit([7]).result(LIMIT) == 7
    batcher.stop()


def test_a_reader_that_gives_fewer_scores_than_conversations_is_an_error() -> None:
    batcher = LengthBatcher(Model(), 4, 1000, lambda logits, batch: [1.0])
    scores = [batcher.submit([i, i]) for i in range(20)]  # the first may be alone in its batch
    with pytest.raises(BackendError, match=r"gave 1 scores for \d conversations"):
        scores[-1].result(LIMIT)
    batcher.stop()


@each_failure
@pytest.mark.parametrize("point", ["_take", "_score", "batches"])
def test_a_scorers_thread_that_ends_wakes_everybody_and_refuses_the_next(
    point: str, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def slow(logits: torch.Tensor, batch: Any) -> list[float]:
        assert go.wait(LIMIT)
        return read(logits, batch)

    batcher = LengthBatcher(Model(), 4, 1000, slow)
    first = batcher.submit([1])
    time.sleep(0.05)  # it is taken up, alone
    where = "tts_backends.hf.score_batch.batches" if point == "batches" else None
    if where:
        monkeypatch.setattr(where, raising(failure, 10**6)(None))
    else:
        monkeypatch.setattr(batcher, point, raising(failure, 10**6)(None))
    waiting = [batcher.submit([i, i]) for i in range(1, 10)]
    go.set()
    assert first.result(LIMIT) == 1
    for score in waiting:
        with pytest.raises(BackendError, match=rf"the scorer's thread raised {type(failure).__name__}: planted"):
            score.result(LIMIT)
    with pytest.raises(BackendError, match="planted"):
        batcher.submit([5])
    batcher.stop()


@pytest.mark.parametrize("failure", [KeyboardInterrupt("planted"), SystemExit("planted")], ids=["interrupt", "exit"])
def test_a_task_that_asks_for_the_programs_end_ends_neither_loop_nor_program(failure: BaseException) -> None:
    thread = LoopThread("test-loop")

    async def fails() -> None:
        raise failure

    async def slow() -> str:
        await asyncio.sleep(0.1)
        return "done"

    async def main() -> str:
        beside = asyncio.wrap_future(thread.submit(slow()))
        with pytest.raises(BackendError, match=f"test-loop raised {type(failure).__name__}: planted"):
            await asyncio.wait_for(asyncio.wrap_future(thread.submit(fails())), LIMIT)
        return await asyncio.wait_for(beside, LIMIT)

    assert asyncio.run(main()) == "done"
    thread.stop()


def test_who_waits_for_a_loop_that_is_stopped_hears_of_it() -> None:
    thread = LoopThread("test-loop")
    waiting = thread.submit(asyncio.sleep(3600))
    thread.stop()
    with pytest.raises(BackendError, match="'test-loop' was stopped"):
        waiting.result(LIMIT)
    with pytest.raises(BackendError, match="has ended"):
        thread.submit(asyncio.sleep(0))


@ends_a_thread
def test_a_loop_that_breaks_tells_everybody() -> None:
    thread = LoopThread("test-loop")
    waiting = thread.submit(asyncio.sleep(3600))

    async def breaks() -> None:
        selector = thread._loop._selector  # type: ignore[attr-defined]
        selector.select = raising(OSError("planted"))(selector.select)

    thread.submit(breaks())
    with pytest.raises(BackendError, match="has ended"):
        waiting.result(LIMIT)
    joined(thread._thread)
    thread.stop()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_refuses_to_be_cancelled_does_not_keep_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_backends.processes.loop_thread._LAST_SECONDS", 0.3)
    thread = LoopThread("test-loop")
    over = asyncio.Event()

    async def stubborn() -> None:
        while not over.is_set():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    waiting = thread.submit(stubborn())
    time.sleep(0.05)
    thread.stop()
    with pytest.raises(BackendError, match="has ended"):
        waiting.result(LIMIT)
    over.set()


def test_a_function_that_raises_stop_iteration_on_a_thread_is_heard_of() -> None:
    """Awaiting it through `asyncio.to_thread` never ends with Python 3.11."""
    with pytest.raises(RuntimeError, match="it raised StopIteration"):
        asyncio.run(asyncio.wait_for(in_thread(next, iter(())), LIMIT))


def test_a_failure_is_told_in_one_way() -> None:
    assert [told(KeyboardInterrupt()), told(ValueError("so")), told(Unspeakable())] == [
        "KeyboardInterrupt", "ValueError: so", "Unspeakable: (its message raised ValueError)",
    ]  # fmt: skip
