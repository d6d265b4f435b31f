"""Classes hold no known difference, whatever bridges there are; who speaks, and what is not compared at all."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tts
from tts.answers import Answers, fast_equal


@pytest.fixture(scope="module")
def service() -> Iterator[Answers]:
    answers = Answers()
    yield answers
    answers.close()


BRIDGES = [
    "x=5",
    "5",
    "y=5",
    "1.22",
    "1,22",
    "(1,22)",
    "9",
    r"9\%",
    "0.09",
    "0.5",
    r"50\%",
    "50",
    "5 km",
    "5 cm",
    "5.0",
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(BRIDGES), max_size=12), st.randoms(use_true_random=False))
def test_no_class_holds_a_known_difference(service: Answers, answers: list[str], shuffler: random.Random) -> None:
    clusters = asyncio.run(service.cluster(answers))
    for (a, one), (b, other) in combinations(zip(answers, clusters.labels, strict=True), 2):
        if one == other:
            assert fast_equal(a, b) is not False, (a, b)
    kept_apart = {(conflict.a, conflict.b) for conflict in clusters.conflicts}
    for (a, one), (b, other) in combinations(zip(answers, clusters.labels, strict=True), 2):
        if one != other and fast_equal(a, b):
            assert (a, b) in kept_apart or (b, a) in kept_apart or {a, b} & {"5", "5.0"}
    shuffled = answers.copy()
    shuffler.shuffle(shuffled)
    assert sorted(asyncio.run(service.cluster(shuffled)).sizes) == sorted(clusters.sizes)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_a_vote_says_what_most_said(order: int, tmp_path: Path) -> None:
    given = ["0.5", r"50\%", "50", "50"]
    given = given[order:] + given[:order]
    row = {"problem": "How much is it?", "answer": "50", "candidates": [rf"\boxed{{{answer}}}" for answer in given]}
    path = tmp_path / "sets.jsonl"
    path.write_text(json.dumps(row) + "\n")
    found = tts.compare(path, strategies=["majority"], k=4)
    assert found.rows[0].decisions == {"majority": (True,)}


def test_the_member_that_equals_most_others_speaks(service: Answers) -> None:
    clusters = asyncio.run(service.cluster(["1,22", "(1,22)", "(1,22)", "1.22"]))
    assert clusters.representatives == ("1,22", "1.22")
    assert [conflict.kind for conflict in clusters.conflicts] == ["intransitive"]


def test_polynomials_and_decimals_are_told_apart_without_comparing_pairs() -> None:
    async def run() -> None:
        async with Answers() as answers:
            polynomials = [f"{place + 2}x^2+{place}x-{place * place}" for place in range(64)]
            started = time.process_time()
            assert len((await answers.cluster(polynomials)).sizes) == 64
            decimals = [f"{random.Random(place).random() * 100:.4f}" for place in range(1024)]
            assert len((await answers.cluster(decimals)).sizes) == len({float(one) for one in decimals})
            waves = [rf"{place + 1}\sin(x)+\ln({place + 2})" for place in range(24)]
            assert len((await answers.cluster(waves)).sizes) == 24
            assert answers.stats.compared == 0
            assert answers._pool is None
            assert time.process_time() - started < 3

    asyncio.run(run())


def test_what_is_undecided_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    from tts.answers.grader import MathGrader

    async def run() -> list[bool]:
        async with Answers(time_limit=0.5) as answers:
            grader = MathGrader()
            grader._held = grader._held._replace(answers=answers)
            try:
                assert await answers.judge_many([(r"\binom{10000000000}{100000}", r"\pi")]) == [None]
                assert answers.stats.undecided == 1
                return await grader.grade([(r"\binom{10000000000}{100000}", r"\pi"), ("1", "1")])
            finally:
                await grader.aclose()

    assert asyncio.run(run()) == [False, True]
    assert "1 of 2 answers could not be compared" in caplog.text
