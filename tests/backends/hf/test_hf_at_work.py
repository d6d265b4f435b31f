"""A model in memory that computes is never silent, however long it takes; one that stands still is."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import tts
from tts_backends.hf import batch as hf_batch
from tts_backends.hf.decode import Decoder
from tts_backends.processes import at_work as processes_at_work
from tts_backends.processes.at_work import at_work


@pytest.fixture(autouse=True)
def _short_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes_at_work, "_WINDOW", 0.3)


def compute(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(1000))


def seen(work: Callable[[float], None]) -> bool | None:
    thread = threading.Thread(target=work, args=(3.0,), daemon=True)
    thread.start()
    return asyncio.run(at_work(thread))


def test_a_thread_that_computes_is_at_work_and_one_that_sleeps_is_not() -> None:
    assert seen(compute) is True
    assert seen(time.sleep) is False
    assert seen(lambda _: None) is False


def test_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "pthread_getcpuclockid")
    assert seen(compute) is None


@pytest.mark.parametrize(("step", "fails"), [(compute, False), (time.sleep, True)])
def test_a_step_that_takes_long_is_no_silence_where_it_computes(
    monkeypatch: pytest.MonkeyPatch, step: Callable[[float], None], fails: bool
) -> None:
    real, slow = Decoder.join, [True]

    def join(self: Decoder, *arguments: Any) -> Any:
        if slow:
            slow.clear()
            step(4.0)
        return real(self, *arguments)

    monkeypatch.setattr(hf_batch.Decoder, "join", join)
    run = tts.run("1+1", strategy="majority", k=1, model="hf:miniature", request_timeout=0.5)
    assert bool(run.failed) is fails
    if fails:
        assert "policy 'hf:miniature' has answered nothing for" in str(run[0].error)


def test_a_scorer_tells_it_too() -> None:
    from tts_backends.scorers.hf_reward import HFReward

    scorer = HFReward("miniature/reward", HFReward.Options())

    async def main() -> bool | None:
        try:
            return await scorer.at_work()
        finally:
            await scorer.aclose()

    assert asyncio.run(main()) is False
