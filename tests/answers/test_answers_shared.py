"""The shared service: verdicts are shared and stay, workers end with the last holder. And pairs on a busy machine."""

import asyncio
import gc
import os
import signal
from pathlib import Path

import pytest

from tts.answers import Answers, shared

EIGHT = (r"\ln 8", r"3\ln 2")


class Holder:
    """Anything that can be referred to weakly."""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """A shared service that nobody holds."""
    service = Answers()
    monkeypatch.setattr(shared, "_service", service)
    monkeypatch.setattr(shared, "_holders", 0)
    return service


def test_what_one_has_compared_the_other_knows() -> None:
    one, other = Holder(), Holder()
    first, second = shared.hold(one), shared.hold(other)
    assert asyncio.run(first.answers.equal(*EIGHT))
    assert asyncio.run(second.answers.equal(*EIGHT))
    assert (second.answers.stats.compared, second.answers.stats.cached) == (1, 1)
    first.release()
    second.release()


def test_workers_end_with_the_last_holder_and_verdicts_stay(alone: Answers) -> None:
    first, second = shared.hold(a := Holder()), shared.hold(b := Holder())
    assert asyncio.run(first.answers.equal(*EIGHT))
    first.release()
    first.release()
    assert alone._pool is not None, "the second one is still there"
    del a
    gc.collect()
    assert alone._pool is not None
    second.release()
    assert alone._pool is None
    with shared.held() as again:
        assert asyncio.run(again.equal(*EIGHT))
        assert again._pool is None, "nothing is left to compare"
    del b


def test_a_holder_that_is_gone_holds_nothing(alone: Answers) -> None:
    holder = Holder()
    assert asyncio.run(shared.hold(holder).answers.equal(*EIGHT))
    del holder
    gc.collect()
    assert alone._pool is None


def test_classes_of_the_same_answers_are_worked_out_once(alone: Answers) -> None:
    answers = ["4", *EIGHT, None, "4.0"]
    first = asyncio.run(alone.cluster(answers))
    before = str(alone.stats)
    assert asyncio.run(alone.cluster(answers[::-1])).sizes == (2, 2)
    assert asyncio.run(alone.cluster(answers)) == first
    assert str(alone.stats) == before
    alone.close()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_pair_is_not_cut_for_what_else_is_running() -> None:
    async def run() -> None:
        async with Answers(time_limit=0.3) as answers:
            assert await answers.equal(*EIGHT)
            assert answers._pool is not None
            fork = answers._pool.pids()[0]
            os.kill(fork, signal.SIGSTOP)  # a machine that gives it no processor
            asked = asyncio.ensure_future(answers.equal(r"\ln 9", r"2\ln 3"))
            await asyncio.sleep(1)
            assert not asked.done()
            os.kill(fork, signal.SIGCONT)
            assert await asked
            assert answers._pool.pids()[0] == fork

    asyncio.run(run())
