"""The doubles do what an author's tests rely on."""

from __future__ import annotations

import asyncio
import time

import pytest

import tts
from tts.testing import FaultyModel, ScriptedJudge, ScriptedModel, ScriptedScorer, VirtualClock, candidate_set, decide


async def texts(model: object, n: int = 1, content: str = "?") -> list[str]:
    request = tts.Request(messages=(tts.Message(role="user", content=content),), n=n, seeds=tuple(range(n)))
    return [one.text for one in sorted([c async for c in model.generate(request)], key=lambda c: c.index)]  # type: ignore[attr-defined]


def test_a_scripted_model_says_one_text_several_or_what_a_function_says() -> None:
    async def slow(request: tts.Request, index: int) -> str:
        await asyncio.sleep(0)
        return f"{request.messages[-1].content} {index}"

    assert asyncio.run(texts(ScriptedModel("so"), 2)) == ["so", "so"]
    assert asyncio.run(texts(ScriptedModel(["a", "b"]), 3)) == ["a", "b", "a"]
    assert asyncio.run(texts(ScriptedModel(slow), 2, "1+1")) == ["1+1 0", "1+1 1"]


def test_a_scripted_model_plays_any_role_and_remembers_its_prompts() -> None:
    model = ScriptedModel("so \\boxed{4}")
    result = decide("gsr", ["\\boxed{3}", "\\boxed{4}"], model=model)
    assert result.answer == "4"
    assert len(model.requests) == 1
    assert "\\boxed{3}" in model.prompts[0]


def test_a_scripted_model_reports_what_is_cancelled() -> None:
    async def says(_: tts.Request, index: int) -> str:
        await asyncio.sleep(1000 * index)
        return "so"

    async def main() -> list[tts.Usage]:
        cancelled: list[tts.Usage] = []
        request = tts.Request(messages=(tts.Message(role="user", content="?"),), n=3, seeds=(0, 1, 2),
                              on_cancelled=cancelled.append)  # fmt: skip
        completions = ScriptedModel(says).generate(request)
        await anext(completions)
        await completions.aclose()
        return cancelled

    assert [usage.cancelled for usage in asyncio.run(main())] == [1, 1]


def test_scripted_scorers_and_judges_follow_their_scripts() -> None:
    responses = ["bad \\boxed{1}", "good \\boxed{2}", "bad \\boxed{3}"]
    scorer = ScriptedScorer({"good": 1.0})
    assert decide("best_of_n", responses, scorer=scorer).answer == "2"
    assert sorted(scorer.calls) == sorted(responses)
    assert decide("best_of_n", responses, scorer=ScriptedScorer(lambda one: one.index)).answer == "3"
    judge = ScriptedJudge("good")
    assert decide("knockout", responses, judge=judge).answer == "2"
    assert judge.calls
    a, b = candidate_set(["good", "good"]).candidates
    assert asyncio.run(judge.compare(tts.Problem(id="p", prompt="?"), a, b, seed=0)).winner == "tie"


@pytest.mark.parametrize(
    ("fault", "error"),
    [(tts.BackendError("out of memory"), "out of memory"), ("empty", None)],
)
def test_a_faulty_model_fails_where_it_is_told_to(fault: object, error: str | None) -> None:
    model = FaultyModel(ScriptedModel("so \\boxed{4}"), {1: fault})  # type: ignore[dict-item]
    first = decide("gsr", ["\\boxed{3}", "\\boxed{4}"], model=model)
    second = decide("gsr", ["\\boxed{3}", "\\boxed{5}"], model=model)
    assert first.answer == "4"
    assert second.answer is None
    assert (error or "") in (second.error or "")


def test_the_engine_asks_again_for_what_a_faulty_model_drops() -> None:
    model = FaultyModel(ScriptedModel("so \\boxed{4}"), {0: "drop"})
    assert decide("gsr", ["\\boxed{3}", "\\boxed{5}"], model=model).answer == "4"
    assert len(model.requests) == 2


def test_a_faulty_model_can_hang_and_the_virtual_clock_does_not_wait() -> None:
    clock, started = VirtualClock(), time.monotonic()
    model = FaultyModel(ScriptedModel("so"), lambda request: "hang" if request.n == 1 else None)

    async def main() -> list[str]:
        assert await texts(model, 2) == ["so", "so"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(texts(model), 3600)
        return await texts(model, 2)

    assert clock.run(main()) == ["so", "so"]
    assert clock.now == pytest.approx(3600, abs=1)
    assert time.monotonic() - started < 600


def test_the_virtual_clock_wakes_sleepers_in_their_order_and_waits_for_threads() -> None:
    woken = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(seconds)

    async def main() -> str:
        await asyncio.gather(*(sleep(seconds) for seconds in (30, 10, 20)))
        return await asyncio.to_thread(lambda: "there")

    clock = VirtualClock()
    assert clock.run(main()) == "there"
    assert woken == [10, 20, 30]
    assert clock.now == pytest.approx(30)
