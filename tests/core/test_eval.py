"""Metrics against brute force."""

from __future__ import annotations

import math
import random
from collections import defaultdict

import pytest
from doubles import candidate_set
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.eval import clustered_mean

OBSERVATIONS = st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 1)), min_size=1, max_size=30)


@given(OBSERVATIONS)
def test_the_mean_is_the_mean_and_the_interval_holds_it(observations: list[tuple[str, float]]) -> None:
    estimate = clustered_mean(observations, (0.0, 1.0))
    assert estimate.mean == pytest.approx(sum(v for _, v in observations) / len(observations))
    assert 0 <= estimate.low <= estimate.mean + 1e-12
    assert estimate.mean - 1e-12 <= estimate.high <= 1
    assert estimate.n == len(observations)
    assert estimate.problems == len({p for p, _ in observations})


def test_equal_clusters_give_the_textbook_interval() -> None:
    means = {"a": [0.0, 1.0], "b": [1.0, 1.0], "c": [0.0, 0.0], "d": [1.0, 0.0]}
    estimate = clustered_mean((p, v) for p, values in means.items() for v in values)
    per_problem = [sum(v) / 2 for v in means.values()]
    mean = sum(per_problem) / 4
    deviation = math.sqrt(sum((m - mean) ** 2 for m in per_problem) / 3)
    assert estimate.half_width == pytest.approx(1.959963984540054 * deviation / math.sqrt(4))


def test_the_interval_covers_about_95_percent_of_clustered_draws() -> None:
    rng = random.Random(1)
    covered = 0
    for _ in range(400):
        observations = []
        for problem in range(60):
            skill = rng.random()
            observations += [(str(problem), float(rng.random() < skill)) for _ in range(4)]
        estimate = clustered_mean(observations)
        covered += estimate.low <= 0.5 <= estimate.high
    assert 0.91 <= covered / 400 <= 0.985


def test_nothing_observed_is_none() -> None:
    assert clustered_mean([]) is None


@given(st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=1, max_size=6))
def test_a_comparison_agrees_with_counting_by_hand(groups: list[list[int]]) -> None:
    sets = []
    for number, answers in enumerate(groups):
        found = candidate_set(*[f"\\boxed{{{a}}}" for a in answers], problem=f"{number}+0")
        named = found.problem.model_copy(update={"id": f"p{number}"})
        sets.append(tts.Sampled(found.model_copy(update={"problem": tts.Problem(**named.model_dump())}), "1"))
    comparison = tts.compare(sets, strategies=["first", "majority"], k=4)
    hits = [[a == 1 for a in answers] for answers in groups]
    n = len(groups)
    assert comparison.pass_at_1.mean == pytest.approx(sum(map(sum, hits)) / (4 * n))
    assert comparison.pass_at_k.mean == pytest.approx(sum(map(any, hits)) / n)
    assert comparison.accuracy("first").mean == pytest.approx(sum(h[0] for h in hits) / n)
    votes = comparison.correct("majority")
    assert comparison.gap("majority", "first").mean == pytest.approx(sum(votes) / n - sum(h[0] for h in hits) / n)
    strata = defaultdict(list)
    for hit, vote in zip(hits, votes, strict=True):
        strata[sum(hit)].append(vote)
    by_n_correct = comparison.by_n_correct("majority")
    assert {n_c: e.mean for n_c, e in by_n_correct.items()} == {
        n_c: pytest.approx(sum(v) / len(v)) for n_c, v in strata.items()
    }
    assert list(by_n_correct) == sorted(strata, reverse=True)


def test_outputs_are_averaged(fake) -> None:
    fake(script=lambda request, index: f"\\boxed{{{1 if index < 1 else 2}}}")
    found = tts.Sampled(candidate_set("\\boxed{1}"), "1")
    comparison = tts.compare([found], strategies=[tts.strategy("gsr", outputs=4)], k=1, model="fake:m")
    assert comparison.accuracy("gsr").mean == 0.25


def test_a_failed_strategy_counts_as_wrong() -> None:
    comparison = tts.compare([tts.Sampled(candidate_set("", ""), "1")], strategies=["majority"], k=2)
    assert comparison.accuracy("majority").mean == 0.0
    assert len(comparison.failed) == 1
    assert "failed 1×: majority: NoCandidatesError" in str(comparison)
