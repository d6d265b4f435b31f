"""Synchronous code of plugins that never returns is broken off, and costs its own work only."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from doubles import FakeBackend, sums

import tts
from tts.bridge.supervised import Hung, supervised
from tts.contracts import grader as contracts_grader
from tts.engine import engine, watchdog
from tts.metrics import grading
from tts.registry import user_code

Fake = Callable[..., type[FakeBackend]]


def spin(*_: Any) -> Any:
    while True:
        pass


def sleep(*_: Any) -> Any:
    time.sleep(3600)


def backtrack(*_: Any) -> Any:
    return re.match(r"(a+)+c", "a" * 60 + "d")


HANGS = pytest.mark.parametrize("hangs", [spin, sleep, backtrack], ids=lambda one: one.__name__)


@HANGS
def test_what_runs_on_the_main_thread_is_broken_off(hangs: Callable[..., Any]) -> None:
    began = time.monotonic()
    with pytest.raises(Hung):
        supervised(hangs, 0.3)
    assert time.monotonic() - began < 10
    assert supervised(lambda: 7, 0.3) == 7


def test_what_runs_on_another_thread_is_broken_off_at_its_next_step() -> None:
    heard: list[BaseException] = []

    def run() -> None:
        try:
            supervised(spin, 0.3)
        except Hung as error:
            heard.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert len(heard) == 1


def test_what_returns_is_left_alone_also_just_at_its_limit() -> None:
    for _ in range(200):
        try:
            supervised(lambda: time.sleep(0.01), 0.01)
        except Hung:
            continue
    time.sleep(0.3)  # nothing comes later


def test_what_it_raises_is_raised() -> None:
    def fails() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        supervised(fails, 5)


@HANGS
def test_an_extractor_that_hangs_costs_answers(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, hangs: Callable[..., Any]
) -> None:
    """And after two texts it is asked no more: each further one would hold up everybody anew."""
    monkeypatch.setattr(contracts_grader, "EXTRACTION", 0.3)
    fake()
    tts.plugins().register("extractor", "hanging", hangs)
    began = time.monotonic()
    with (
        pytest.warns(tts.PluginWarning, match="extractor 'hanging' returned nothing for 0.3 s$"),
        pytest.warns(
            tts.PluginWarning, match="extractor 'hanging' returned nothing for 0.3 s, 2 times; it is asked no"
        ),
    ):
        run = tts.run(sums(10), strategy="majority", k=4, model="fake:m", extractor="hanging")
    assert time.monotonic() - began < 20
    assert all(result.answer is None for result in run)


def test_our_extractors_and_graders_pay_nothing_for_it(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object) -> Any:
        raise AssertionError("it is not to be asked")

    monkeypatch.setattr(contracts_grader, "supervised", no)
    fake()
    assert tts.run(sums(2), strategy="majority", k=2, model="fake:m").results[0].answer is not None


class MuteGrader:
    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        await asyncio.Event().wait()
        return []

    async def aclose(self) -> None: ...


def test_a_grader_that_says_nothing_leaves_everything_ungraded(fake: Fake) -> None:
    fake()
    tts.plugins().register("grader", "mute", MuteGrader)
    with pytest.warns(tts.PluginWarning, match="nothing is graded: .*grader.* has answered nothing"):
        run = tts.run(sums(2), strategy="majority", k=2, model="fake:m", grader="mute", request_timeout=0.5)
    assert len(run) == 2
    assert run.accuracy("majority") is None


def test_a_grader_is_asked_for_some_hundreds_at_a_time(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its limit is for so many, however large the run is; the verdicts stay in their order."""
    monkeypatch.setattr(grading, "_AT_ONCE", 3)
    asked = []

    class Counts:
        async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
            asked.append(len(pairs))
            return [answer is not None and int(answer) == int(gold) for gold, answer in pairs]

        async def aclose(self) -> None: ...

    fake()
    tts.plugins().register("grader", "counts", Counts)
    run = tts.run(sums(5), strategy="majority", k=2, model="fake:m", grader="counts")
    again = tts.run(sums(5), strategy="majority", k=2, model="fake:m")
    assert asked == [3, 3, 3, 3, 3]
    assert run.accuracy("majority") == again.accuracy("majority")


def test_a_function_of_the_user_s_that_hangs(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_code, "GRADING", 0.3)
    (tmp_path / "mine.py").write_text("import time\ndef same(gold, answer):\n    time.sleep(3600)\n")
    fake()
    with pytest.warns(tts.PluginWarning, match="the function that grades has said nothing of the answer .* for 0.3 s"):
        run = tts.run(sums(1), strategy="majority", k=2, model="fake:m", grader=f"{tmp_path}/mine.py:same")
    assert len(run) == 1


class Blocks(tts.Strategy):
    name: ClassVar[str] = "blocks"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        await ctx.candidates()
        time.sleep(3600)
        return tts.Decision(text="1")


def test_a_strategy_that_blocks_the_loop_is_broken_off(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others have their results."""
    monkeypatch.setattr(watchdog, "TOLD", 1.5)
    monkeypatch.setattr(engine, "_tick", lambda _: 0.1)
    fake()
    table = tts.compare(sums(2), strategies=[Blocks(), "majority"], k=2, model="fake:m", request_timeout=1.0)
    assert [result.error is None for result in table.results] == [False, True] * 2
    assert "strategy 'blocks' raised Hung on problem 'p0': it was broken off" in str(table.results[0].error)
