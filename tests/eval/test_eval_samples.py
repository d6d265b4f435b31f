"""n candidates of each problem in groups of k, sampled or stored."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from doubles import boxed, sums

import tts


def test_n_candidates_make_groups_of_k(fake: Any) -> None:
    cls = fake()
    found = tts.compare(sums(5), strategies=["first", "majority"], k=2, n=6, model="fake:m")
    assert cls.completions() == 30
    assert [(row.outcome.problem.id, row.outcome.group) for row in found.rows] == [
        (f"p{problem}", group) for problem in range(5) for group in range(3)
    ]
    assert len(found.curves()["maj@k"].points) == 6
    same = tts.compare(tts.sample(sums(5), k=6, model="fake:m"), strategies=["first", "majority"], k=2)
    assert same.correct("majority") == found.correct("majority")


def test_a_problem_that_cannot_be_sampled_fails_in_every_group(fake: Any) -> None:
    def before(request: tts.Request) -> None:
        if request.context == "p1":
            raise tts.ContextLengthError(5000, 1000, "fake:m")

    fake(before=before)
    found = tts.compare(sums(3), strategies=["majority"], k=2, n=4, model="fake:m")
    assert Counter(result.problem.id for result in found.failed) == {"p1": 2}
    assert len(found.rows) == 6


def test_groups_are_decided_before_all_problems_are_sampled(fake: Any) -> None:
    told = []
    fake(capabilities=tts.Capabilities(seed=True, concurrency=1), delay=lambda _request, _index: 0.01)
    tts.compare(
        sums(4), strategies=["majority"], k=2, n=4, model="fake:m", listeners=[lambda event: told.append(event.kind)]
    )
    before = told[: told.index("decision")].count("candidate")
    assert before < 12, "no barrier: four candidates are enough for the first problem"


def test_of_stored_candidates_no_more_are_taken() -> None:
    stored = [tts.Sampled(boxed(1, 2, 2, 2, 2), "1")]
    found = tts.compare(stored, strategies=["first"], k=1, n=2)
    assert [len(row.outcome.candidates) for row in found.rows] == [1, 1]
    assert found.accuracy("first").mean == 0.5


def test_fewer_than_a_group_is_refused(fake: Any) -> None:
    fake()
    with pytest.raises(tts.ConfigError, match="n=2 candidates per problem make no group of k=4"):
        tts.compare(sums(1), strategies=["first"], k=4, n=2, model="fake:m")
