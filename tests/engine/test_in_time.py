"""Answers in time: what a strategy gets at a deadline or once a quorum is there, and what becomes of the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, ClassVar

import pytest
from doubles import FakeBackend, correct_sometimes, sums

import tts
from tts.testing import VirtualClock

Fake = Callable[..., type[FakeBackend]]


class Timed(FakeBackend):
    """Each completion takes so many seconds, side by side, by its place; a refinement takes `writing`."""

    after: ClassVar[Sequence[float]] = (0.05, 0.05, 0.05, 4.0)
    says: ClassVar[Sequence[str]] = ("7", "7", "7", "8")
    writing: ClassVar[float] = 0.2
    capabilities = tts.Capabilities(seed=True, concurrency=64)

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        cls = type(self)
        cls.requests.append(request)
        refining = "Candidate Response" in request.messages[-1].content
        times = [cls.writing] * request.n if refining else list(cls.after[: request.n])
        says = ["9"] * request.n if refining else cls.says
        began, left = asyncio.get_running_loop().time(), set(range(request.n))
        cls.live += request.n
        try:
            for index in sorted(left, key=lambda i: times[i]):
                await asyncio.sleep(began + times[index] - asyncio.get_running_loop().time())
                left.discard(index)
                cls.live -= 1
                text = f"\\boxed{{{says[index]}}}"
                yield tts.Completion(index=index, text=text, summary=text, usage=tts.Usage(calls=1, answer_tokens=10))
        finally:
            cls.live -= len(left)
            for _ in left:
                request.on_cancelled(tts.Usage(calls=1, answer_tokens=3))


def timed(**behaviour: Any) -> type[Timed]:
    cls = type("Now", (Timed,), behaviour)
    tts.plugins().register("backend", "timed", cls)
    return cls


def solved(
    strategy: str | tts.Strategy, k: int = 4, problems: int = 1, **settings: Any
) -> tuple[list[tts.Result], float]:
    """The results, and the seconds of the clock until the last."""
    clock = VirtualClock()

    async def main() -> list[tts.Result]:
        async with tts.Engine(model="timed:m", **settings) as engine:
            found = [await engine.solve(f"{one}+{one}", strategy, k) for one in range(problems)]
            results.extend(found)
            taken.append(clock.now)
            return found

    results: list[tts.Result] = []
    taken: list[float] = []
    clock.run(main())
    return results, taken[0]


def test_a_vote_that_is_decided_does_not_wait_for_the_straggler() -> None:
    backend = timed()
    [result], seconds = solved(tts.strategy("majority", decided_early=True))
    assert result.answer == "7"
    assert seconds == pytest.approx(0.05, abs=0.02)
    assert backend.live == 0
    assert result.usage["policy"].cancelled in (1, 2), "two equal ones win a tie already, since they were first"
    assert result.usage["policy"].answer_tokens in (23, 26)  # the third comes in the same moment, or is cancelled
    assert result.decision and result.decision.rates == {"candidates saved": (2, 4)}
    [result], seconds = solved("majority")
    assert seconds == pytest.approx(4.0, abs=0.02)
    assert not result.provenance.stopped


def test_a_quorum_goes_on_after_its_grace() -> None:
    backend = timed(after=(0.1, 0.3, 1.0, 9.0), says=("1", "2", "3", "4"))
    [result], seconds = solved("majority", quorum=2, grace=1.0)
    assert seconds == pytest.approx(1.3, abs=0.02)
    assert [candidate.index for candidate in result.candidates] == [0, 1, 2]
    assert backend.live == 0
    assert result.provenance.stopped == {"the quorum of 2 was there and the grace of 1 s was over": 1}
    assert result.provenance.limits == tts.TimeLimits(quorum=2, grace=1.0)
    assert result.usage["policy"].cancelled == 1
    assert result.decision and result.decision.rates["answers not waited for"] == (1, 4)


def test_at_the_deadline_a_strategy_gets_what_is_there() -> None:
    timed(after=(0.1, 0.3, 8.0, 9.0), says=("1", "1", "3", "4"))
    [result], seconds = solved("majority", deadline=2.0)
    assert seconds <= 2.0
    assert result.answer == "1"
    assert list(result.provenance.stopped.values()) == [2]
    assert result.decision and result.decision.rates["decided by a vote at the deadline"] == (0, 1)


def test_time_is_kept_for_what_is_still_to_be_written() -> None:
    """A refinement that took 0.5 s is begun 0.5 s before the deadline; the first one, as a candidate takes so long."""
    backend = timed(after=(0.4, 0.5, 0.6, 9.0), writing=0.5)
    results, _ = solved("gsr", problems=3, deadline=2.0)
    assert [result.answer for result in results] == ["9", "9", "9"]
    assert [len(result.candidates) for result in results] == [3, 3, 3]
    assert all(not by_vote(result) for result in results)
    assert backend.live == 0


def by_vote(result: tts.Result) -> int:
    assert result.decision is not None
    return result.decision.rates["decided by a vote at the deadline"][0]


def test_where_even_that_fails_a_vote_is_the_answer_and_says_so() -> None:
    backend = timed(after=(0.1, 0.2, 0.3, 9.0), says=("5", "7", "7", "7"), writing=60.0)
    results, seconds = solved("gsr", problems=2, deadline=2.0)
    assert seconds <= 4.0
    assert [result.answer for result in results] == ["7", "7"]
    assert [by_vote(result) for result in results] == [1, 1]
    assert all(result.decision and result.decision.chosen == 1 for result in results)
    assert "vote" in results[0].decision.trace["instead"]  # type: ignore[union-attr]
    assert backend.live == 0


def test_with_nothing_there_the_error_says_so() -> None:
    backend = timed(after=(9.0, 9.0, 9.0, 9.0))
    with pytest.raises(tts.DeadlineError, match=r"no candidate of problem .* was there at the deadline"):
        solved("majority", deadline=0.01)
    assert backend.live == 0


def test_fewer_than_a_quorum_are_only_voted_on() -> None:
    timed(after=(0.1, 9.0, 9.0, 9.0), says=("5", "7", "7", "7"))
    [result], seconds = solved("gsr", deadline=1.0, quorum=2)
    assert seconds <= 1.0
    assert (result.answer, by_vote(result)) == ("5", 1)


def test_a_strategy_that_samples_in_steps_ends_too() -> None:
    timed(after=(0.1, 0.2, 0.3, 9.0, 9.0, 9.0, 9.0, 9.0), says=("1", "2", "3", "4", "5", "6", "7", "8"))
    [result], seconds = solved("adaptive_consistency", k=8, quorum=3, grace=0.5)
    assert seconds == pytest.approx(0.8, abs=0.02)
    assert len(result.candidates) == 3


def test_without_limits_nothing_is_stopped_or_told(fake: Fake) -> None:
    fake()
    found = tts.run(sums(3), strategy="majority", model="fake:m")
    for result in found.results:
        assert (result.provenance.limits, result.provenance.stopped) == (None, {})
        assert result.decision and result.decision.rates == {}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"deadline": 0}, "deadline=0"),
        ({"deadline": float("nan")}, "deadline=nan"),
        ({"quorum": 0, "grace": 1}, "quorum=0"),
        ({"grace": 1}, "give quorum="),
        ({"quorum": 2}, "give grace= or deadline="),
        ({"quorum": 5, "grace": 1}, "can never be there"),
    ],
)
def test_limits_that_say_nothing_are_refused(fake: Fake, settings: dict[str, Any], sentence: str) -> None:
    fake()
    with pytest.raises(tts.ConfigError, match=sentence):
        tts.solve("1+2", strategy="majority", model="fake:m", **settings)


def test_limits_and_what_wants_every_candidate_do_not_go_together(fake: Fake) -> None:
    fake()
    with pytest.raises(tts.ConfigError, match="order_trials= wants every candidate"):
        tts.compare(sums(1), strategies=["majority"], order_trials=2, deadline=1.0, model="fake:m")
    with pytest.raises(tts.ConfigError, match="n= wants every candidate"):
        tts.compare(sums(1), strategies=["majority"], n=8, deadline=1.0, model="fake:m")
    with pytest.raises(tts.ConfigError, match="sampling wants every candidate"):
        tts.sample(sums(1), deadline=1.0, model="fake:m")


def test_a_budget_of_one_call_ends_that_call_alone(fake: Fake) -> None:
    from tts.engine.terms import Terms

    backend = fake(script=correct_sometimes)

    async def main() -> dict[str, tts.Usage]:
        async with tts.Engine(model="fake:m", seed=3) as engine:
            with pytest.raises(tts.BudgetExceededError, match="the budget is 5"):
                await engine.solve("1+2", "gsr", 4, terms=Terms(budget=5))
            assert (await engine.solve("1+2", "gsr", 4)).answer == "3"
            return engine.spent

    assert asyncio.run(main())["policy"].calls == backend.completions()
