"""Whole responses as models write them, votes over such answers: read, then compared.

Rows with "missed" are known to be judged wrong; one that is judged right is to lose its mark.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tts.answers import Answers, extract
from tts.answers.expectation import NOTHING, expected

DATA = Path(__file__).resolve().parents[1] / "data"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


RESPONSES, VOTES = rows("responses.jsonl"), rows("votes.jsonl")
KINDS = list(dict.fromkeys(row["kind"] for row in RESPONSES))


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    service = Answers()
    yield service
    service.close()


@pytest.mark.parametrize("kind", KINDS)
def test_responses_are_judged_right(kind: str, answers: Answers) -> None:
    found = [row for row in RESPONSES if row["kind"] == kind]
    asked = [expected(row["problem"]) if "problem" in row else NOTHING for row in found]
    verdicts = asyncio.run(answers.judge_many([(row["gold"], extract(row["prediction"])) for row in found], asked))
    wrong = [row for row, verdict in zip(found, verdicts, strict=True) if bool(verdict) != row["equal"]]
    assert wrong == [row for row in found if row.get("missed")]


def test_each_kind_has_enough_of_them() -> None:
    assert min(sum(row["kind"] == kind for row in RESPONSES) for kind in KINDS) >= 25
    assert len(VOTES) >= 25


@pytest.mark.parametrize("row", VOTES, ids=[", ".join(map(str, row["candidates"])) for row in VOTES])
def test_a_vote_says_what_most_say_in_any_order(row: dict[str, Any], answers: Answers) -> None:
    asked = expected(row.get("problem", ""))
    for candidates in (row["candidates"], row["candidates"][::-1]):
        classes = asyncio.run(answers.cluster(candidates, asked))
        largest = max(range(len(classes.sizes)), key=classes.sizes.__getitem__)
        assert classes.sizes[largest] == row.get("size", classes.sizes[largest])
        assert asyncio.run(answers.equal(row["says"], classes.representatives[largest], asked))


@pytest.mark.parametrize("problem", list(dict.fromkeys(row["problem"] for row in RESPONSES if "problem" in row)))
def test_a_vote_under_a_problem_agrees_with_its_grades(problem: str, answers: Answers) -> None:
    asked = expected(problem)
    for row in RESPONSES:
        if row.get("problem") == problem and not row.get("missed"):
            answer = extract(row["prediction"])
            classes = asyncio.run(answers.cluster([row["gold"], answer], asked))
            assert (len(classes.sizes) == 1) == row["equal"]
