"""Generated hostile answers: each is graded in time, and the service is right after it."""

from __future__ import annotations

import asyncio

import pytest
from hostile import KINDS, Cost, hostile

from tts.answers import Answers, extract


def like(text: str) -> str:
    """Another answer of the same kind, so that no shortcut ends the comparison."""
    middle = len(text) // 2
    return f"{text[:middle]}7{text[middle:]}"


def worst(cases: list[tuple[str, str]]) -> dict[str, float]:
    """Seconds of the dearest case of each kind, extraction included; CPU where the machine was busy."""

    async def run() -> dict[str, float]:
        taken = dict.fromkeys(KINDS, 0.0)
        async with Answers() as answers:
            assert await answers.equal("\\ln 8", "3\\ln 2")
            for kind, text in cases:
                for gold, response in ((like(text), f"So the answer is \\boxed{{{text}}}."), (text, "It is 9.")):
                    cost = Cost(answers)
                    await answers.equal(gold, extract(response) or "")
                    taken[kind] = max(taken[kind], min(cost.wall, cost.cpu))
                assert await answers.equal("12", "12.0")
            assert await answers.equal("\\ln 9", "2\\ln 3")
        return taken

    return asyncio.run(run())


@pytest.mark.slow
def test_500_hostile_answers_take_6_seconds_at_most() -> None:
    """The bar of 3 s is for a free machine; beside other work a pair that is tried again has cost 4.2 s."""
    assert {kind: seconds for kind, seconds in worst(hostile(500)).items() if seconds > 6} == {}


def test_some_of_each_kind_take_3_seconds_at_most() -> None:
    assert max(worst(hostile(len(KINDS), seed=5)).values()) < 3


def test_the_inputs_are_many_and_the_same_for_a_seed() -> None:
    cases = hostile(80, seed=1)
    assert cases == hostile(80, seed=1) != hostile(80, seed=2)
    assert len({text for _, text in cases}) == 80
    assert {kind for kind, _ in cases} == set(KINDS)
