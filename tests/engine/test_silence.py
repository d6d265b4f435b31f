"""What is asked of a model that says nothing ends, in whatever role: failed, with its reason, and asked again later."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from doubles import FakeBackend, FirstJudge, LengthScorer, sums

import tts
from tts.engine import calls, engine, models, watchdog
from tts.engine.calls import SILENT, UNSURE, Calls, Limit

Fake = Callable[..., type[FakeBackend]]
LIMIT = 0.3  # seconds of silence in these tests
SAID = "has answered nothing for"


async def never(*_: Any, **__: Any) -> Any:
    await asyncio.Event().wait()


class Silent(FakeBackend):
    """Writes nothing, as a server that accepts whatever it is sent."""

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        await never()
        yield tts.Completion(index=0, text="")


class Deaf(Silent):
    """Writes nothing, and does not end when it is cancelled."""

    deaf = True

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        while self.deaf:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue
        yield tts.Completion(index=0, text="")


def silent(cls: type[FakeBackend] = Silent) -> type[FakeBackend]:
    mute = type("Mute", (cls,), {})
    tts.plugins().register("backend", "mute", mute)
    return mute


def asked(strategy: Any = "majority", count: int = 2, model: str = "fake:m", **settings: Any) -> tts.Run:
    began = time.monotonic()
    run = tts.run(sums(count), strategy=strategy, k=2, model=model, **({"request_timeout": LIMIT} | settings))
    assert time.monotonic() - began < 15.0
    return run


def test_a_policy_that_says_nothing(fake: Fake, tmp_path: Path) -> None:
    """And it is asked again by the next run, of the same store: nothing was taken for an answer."""
    silent()
    run = asked(model="mute:m", store=tmp_path / "s.db")
    assert [f"policy 'mute:m' {SAID}" in str(result.error) for result in run] == [True, True]
    again = fake(fingerprint="fake")
    assert not asked(store=tmp_path / "s.db").failed
    assert again.completions() == 4


def test_failed_candidates_of_a_sample_carry_the_reason() -> None:
    silent()
    found = tts.sample(sums(1), k=2, model="mute:m", request_timeout=LIMIT)
    assert all(SAID in str(one.error) for one in found[0])


def test_a_scorer_that_says_nothing(fake: Fake, helpers: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake()
    with monkeypatch.context() as patch:
        patch.setattr(LengthScorer, "score", never)
        run = asked("best_of_n", scorer="fake:m", store=tmp_path / "s.db")
    assert all(f"scorer 'fake:m' {SAID}" in str(result.error) for result in run)
    assert not asked("best_of_n", scorer="fake:m", store=tmp_path / "s.db").failed


def test_a_judge_that_says_nothing(fake: Fake, helpers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(script=lambda request, index: f"\\boxed{{{request.seeds[index]}}}")
    monkeypatch.setattr(FirstJudge, "compare", never)
    assert all(f"judge 'fake:m' {SAID}" in str(result.error) for result in asked("knockout", judge="fake:m"))


def test_a_judge_over_a_language_model_that_says_nothing(fake: Fake) -> None:
    fake(script=lambda request, index: f"\\boxed{{{request.seeds[index]}}}")
    silent()
    assert all(f"judge 'generic:mute:m' {SAID}" in str(r.error) for r in asked("knockout", judge="generic:mute:m"))


def test_a_synthesizer_that_says_nothing(fake: Fake) -> None:
    fake()
    silent()
    assert all(f"synthesizer 'mute:m' {SAID}" in str(r.error) for r in asked("synthesizer", synthesizer="mute:m"))


class Counts(tts.Strategy):
    name: ClassVar[str] = "counts"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        await ctx.candidates()
        await ctx.count_tokens(["a"])
        return tts.Decision(text="1")


def test_a_tokenizer_that_says_nothing(fake: Fake) -> None:
    cls = fake()
    cls.count_tokens = never  # type: ignore[method-assign]
    assert all(SAID in str(result.error) for result in asked(Counts()))


def test_a_model_that_takes_its_time_to_end_is_cancelled_once() -> None:
    """A second cancel would break off what it does to end in order."""
    ended = []

    class Tidies(FakeBackend):
        async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
            try:
                await never()
            finally:
                await asyncio.sleep(3 * LIMIT)
                ended.append(request)
            yield tts.Completion(index=0, text="")

    silent(Tidies)
    assert f"policy 'mute:m' {SAID}" in str(asked(model="mute:m", count=1)[0].error)
    assert len(ended) == 2  # it is tried twice


def test_a_model_that_does_not_end_is_left_behind(caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    monkeypatch.setattr(calls, "PATIENCE", 0.2)
    monkeypatch.setattr(engine, "_tick", lambda _: 0.05)
    for name in ("pool", "unit", "stream"):
        monkeypatch.setattr(f"tts.engine.{name}.STEP", 0.2)
    monkeypatch.setattr("tts.bridge.loop.PATIENCE", 0.2)
    monkeypatch.setattr("tts.bridge.left.end.__defaults__", (0.2,))
    deaf = silent(Deaf)
    run = asked(model="mute:m")
    deaf.deaf = False
    assert all(SAID in str(result.error) for result in run)
    assert "do not end when they are cancelled; left behind" in caplog.text


def test_one_answer_that_takes_long_is_no_silence_while_others_arrive(fake: Fake) -> None:
    """Thirty candidates come one after the other, the slowest of them long after the limit."""
    fake(
        delay=lambda request, index: 0.1 * int(request.messages[-1].content.split("+")[0]),
        capabilities=tts.Capabilities(seed=True, concurrency=64),
    )
    run = tts.run(sums(15), strategy="first", k=1, model="fake:m", request_timeout=LIMIT)
    assert not run.failed


class Slow(FakeBackend):
    """Takes its time and says that it works."""

    said: Any = True
    asked = 0

    async def at_work(self) -> Any:
        type(self).asked += 1
        return self.said


@pytest.mark.parametrize(("said", "ends"), [(True, False), (False, True), (None, True)])
def test_a_model_at_work_is_not_silent(said: Any, ends: bool) -> None:
    slow = type("Slowly", (Slow,), {"said": said, "delay": staticmethod(lambda *_: 1.2)})
    tts.plugins().register("backend", "mute", slow)
    run = tts.run(sums(1), strategy="first", k=1, model="mute:m", request_timeout=LIMIT)
    assert bool(run.failed) is ends
    assert slow.asked > 0


def test_a_model_that_is_asked_and_says_nothing_even_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_ASKING", 0.1)
    tts.plugins().register("backend", "mute", type("Mute", (Silent,), {"at_work": never}))
    assert SAID in str(asked(model="mute:m")[0].error)


def test_by_default_a_dead_model_has_minutes_and_one_that_cannot_tell_an_hour() -> None:
    assert Limit.of("auto", writes=True) == (SILENT, UNSURE) == (600.0, 3600.0)
    assert Limit.of("auto", writes=False) == (SILENT, SILENT)
    assert Limit.of(5, writes=True) == (5, 5)
    assert Limit.of(None, writes=True) == (None, None)


def test_a_model_that_is_silent_twice_is_asked_no_more() -> None:
    """Else each of ten thousand problems would wait for it anew."""
    mute = silent()
    began = time.monotonic()
    run = asked(model="mute:m", count=300)
    assert time.monotonic() - began < 10.0
    assert len(run.failed) == 300
    assert {"it is asked no more for now" in str(one.error) for one in run.failed} == {True, False}
    assert len(mute.requests) == 0


def test_one_that_was_given_up_is_tried_again_and_taken_back() -> None:
    async def main() -> list[Any]:
        asking, told = Calls(), []
        limit = Limit(0.05, 0.05)
        for _ in range(2):
            task = asyncio.create_task(asking.ask("'m'", never))
            await asyncio.sleep(0.06)
            await asking.check(None, "'m'", limit)
            told.append(await asyncio.gather(task, return_exceptions=True))
        with pytest.raises(tts.BackendTimeout, match="it is asked no more for now"):
            await asking.ask("'m'", never)
        await asyncio.sleep(0.06)

        async def answer() -> int:
            return 7

        assert await asking.ask("'m'", answer) == 7
        assert await asking.ask("'m'", answer) == 7
        return told

    assert [one.retryable for (one,) in asyncio.run(main())] == [True, False]


def test_a_limit_that_is_none() -> None:
    with pytest.raises(tts.ConfigError, match="request_timeout='soon': it must be positive, or None"):
        tts.Engine(model="hf:miniature", request_timeout="soon")  # type: ignore[arg-type]
    with pytest.raises(tts.ConfigError, match="request_timeout=True: it must be positive"):
        tts.Engine(model="hf:miniature", request_timeout=True)
    asyncio.run(tts.Engine(model="hf:miniature", request_timeout=None).aclose())


# --- what the watchdog says ------------------------------------------------------------------------------------------


@pytest.fixture
def attentive(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """It says after a fifth of a second what it says after a minute."""
    monkeypatch.setattr(watchdog, "TOLD", 0.2)
    monkeypatch.setattr(watchdog, "BLOCKED", 0.2)
    monkeypatch.setattr(engine, "_tick", lambda _: 0.05)
    caplog.set_level(logging.WARNING, "tts")
    return caplog


def test_it_names_a_scorer_that_says_nothing(
    fake: Fake, helpers: None, monkeypatch: pytest.MonkeyPatch, attentive: pytest.LogCaptureFixture
) -> None:
    fake()
    monkeypatch.setattr(LengthScorer, "score", never)
    asked("best_of_n", count=12, scorer="fake:m", request_timeout=0.8)
    assert "scorer 'fake:m' has answered nothing for 0 s (12 calls wait)" in attentive.text


def test_it_adds_what_a_model_says_that_it_waits_for(attentive: pytest.LogCaptureFixture) -> None:
    silent().waits_for = "batch b: 3 of 4 done, 2 min"  # type: ignore[attr-defined]
    asked(model="mute:m", request_timeout=0.8)
    assert "policy 'mute:m' has answered nothing for 0 s (2 calls wait); batch b: 3 of 4 done, 2 min" in attentive.text


class Blocks(tts.Strategy):
    name: ClassVar[str] = "blocks"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        time.sleep(0.8)
        return tts.Decision(text="1")


def test_it_names_what_blocks_the_loop(fake: Fake, attentive: pytest.LogCaptureFixture) -> None:
    fake()
    asked(Blocks(), count=1)
    assert "the event loop has stood still for" in attentive.text
    assert "it is blocked by Blocks.aggregate (engine/test_silence.py, line " in attentive.text


def test_it_names_a_model_that_does_not_load_and_where_it_is(attentive: pytest.LogCaptureFixture) -> None:
    class Loads(FakeBackend):
        def __init__(self, model: str, options: Any) -> None:
            time.sleep(0.8)
            super().__init__(model, options)

    tts.plugins().register("backend", "mute", Loads)
    asked(model="mute:m", count=1)
    assert "waiting for mute:m to be loaded for 0 s; in " in attentive.text
    assert "Loads.__init__ (engine/test_silence.py, line " in attentive.text


@pytest.mark.parametrize("deaf", [False, True])
def test_a_close_that_hangs_is_named_and_left_behind(
    deaf: bool, attentive: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "CLOSING", 0.5)

    class Stays(FakeBackend):
        left = False

        async def aclose(self) -> None:
            while not self.left:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    if not deaf:
                        raise

    tts.plugins().register("backend", "mute", Stays)

    async def main() -> None:
        async with tts.Engine(model="mute:m") as one:
            await one.solve("1+1", "first", 1)
        Stays.left = True

    began = time.monotonic()
    asyncio.run(asyncio.wait_for(main(), 20))
    assert time.monotonic() - began < 10
    assert "waiting for aclose() of mute:m for 0 s" in attentive.text
    assert "aclose() of mute:m has not ended after 0.5 s; left behind" in attentive.text


def test_it_is_one_thread_that_ends_with_its_engine(fake: Fake) -> None:
    fake()

    others = set(threading.enumerate())  # that of a test before may be on its way out

    def watching() -> int:
        return sum(thread.name == "tts-watchdog" for thread in set(threading.enumerate()) - others)

    async def main() -> list[int]:
        counts = []
        async with tts.Engine(model="fake:m") as one:
            for _ in range(3):
                await one.solve("1+1", "first", 1)
            counts.append(watching())
        for _ in range(1000):
            if not watching():
                break
            await asyncio.sleep(0.02)
        return [*counts, watching()]

    assert asyncio.run(main()) == [1, 0]


def test_an_engine_that_nobody_closes_is_not_kept_by_it(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    import gc

    monkeypatch.setattr(engine, "_tick", lambda _: 0.02)
    fake()

    async def main() -> None:
        await tts.Engine(model="fake:m").solve("1+1", "first", 1)

    before = set(threading.enumerate())
    asyncio.run(main())
    gc.collect()
    mine = [thread for thread in threading.enumerate() if thread.name == "tts-watchdog" and thread not in before]
    for thread in mine:
        thread.join(10)
    assert [thread for thread in mine if thread.is_alive()] == []


def test_what_is_waited_for_can_be_read(fake: Fake) -> None:
    silent()
    read: list[Sequence[str]] = []

    async def main() -> None:
        async with tts.Engine(model="mute:m", request_timeout=1.0) as one:
            solving = asyncio.create_task(one.solve("1+1", "first", 2))
            while not (said := watchdog.waited_for()) or "policy" not in said[0]:
                await asyncio.sleep(0.01)
            read.append(said)
            solving.cancel()
            await asyncio.gather(solving, return_exceptions=True)

    asyncio.run(main())
    assert read[0] == ["policy 'mute:m' (1 call waits, silent for 0 s)"]
