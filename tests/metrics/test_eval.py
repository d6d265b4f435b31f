"""Metrics against brute force."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from typing import ClassVar

import numpy as np
import pytest
from doubles import boxed, candidate_set, sums
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.eval import clustered_mean
from tts.metrics.student import t_quantile, t_tail

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
    assert estimate.half_width == pytest.approx(3.182446 * deviation / math.sqrt(4), rel=1e-5)


@pytest.mark.parametrize(("df", "quantile"), [(1, 12.7062), (4, 2.7764), (9, 2.2622), (29, 2.0452), (999, 1.9623)])
def test_students_t(df: int, quantile: float) -> None:
    assert t_quantile(0.05, df) == pytest.approx(quantile, rel=1e-4)
    assert t_tail(-quantile, df) == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("df", [1, 2, 3, 7, 40, 399, 400, 401, 2000])
def test_the_tail_is_the_integral_of_the_density(df: int) -> None:
    """Against the substitution t = √df tan θ, by the trapezoid rule."""
    top = math.atan(1.7 / math.sqrt(df))
    steps = 20_000
    heights = [math.cos(top * i / steps) ** (df - 1) for i in range(steps + 1)]
    area = (sum(heights) - (heights[0] + heights[-1]) / 2) * top / steps
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)
    assert t_tail(1.7, df) == pytest.approx(1 - 2 * scale * area, abs=2e-6)


def test_unanimous_problems_do_not_give_certainty() -> None:
    estimate = clustered_mean([(str(i), 1.0) for i in range(10)], (0.0, 1.0))
    assert estimate.high == 1.0
    z = 1.959964
    centre = (10 + z**2 / 2) / (10 + z**2)
    low = centre - z * math.sqrt(centre * (1 - centre) / (10 + z**2))
    assert estimate.low == pytest.approx(low, rel=1e-5), "Agresti and Coull's interval"


def test_problems_that_agree_inside_the_bounds_do_not_give_certainty() -> None:
    """One of four right on each of ten problems: '25.0 … 25.0', before."""
    estimate = clustered_mean([(str(i), float(j == 0)) for i in range(10) for j in range(4)], (0.0, 1.0))
    assert estimate.low < 0.2 < 0.3 < estimate.high


def test_equal_numbers_without_a_limit_bound_nothing() -> None:
    estimate = clustered_mean([(str(i), 12.0) for i in range(10)])
    assert not estimate.bounded
    assert estimate.to_dict()["interval"] is None


def test_weights_are_repetitions() -> None:
    observations, times = [("a", 0.0), ("a", 1.0), ("b", 1.0), ("c", 0.5)], [1, 3, 2, 2]
    weighted = clustered_mean(observations, (0.0, 1.0), times)
    repeated = clustered_mean([one for one, n in zip(observations, times, strict=True) for _ in range(n)], (0.0, 1.0))
    assert weighted._replace(n=8) == pytest.approx(repeated)


@pytest.mark.parametrize(("share", "groups"), [(0.5, 1), (0.98, 1), (0.95, 4), (0.02, 4)])
def test_an_accuracy_is_covered_near_the_bounds_too(share: float, groups: int) -> None:
    """A part of benchmarks/calibration.py; Student's t covered 0.86 of these."""
    rng, covered = np.random.default_rng(3), 0
    for _ in range(400):
        values = rng.binomial(groups, rng.beta(share * 2, (1 - share) * 2, 30)) / groups
        found = clustered_mean([(str(i), one) for i, one in enumerate(values.tolist())], (0.0, 1.0))
        covered += found.low <= share <= found.high
    assert covered / 400 >= 0.92


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
    found = candidate_set("", "", "so \\boxed{1}", "so \\boxed{1}")
    comparison = tts.compare([tts.Sampled(found, "1")], strategies=["majority"], k=2)
    assert comparison.accuracy("majority").mean == 0.5
    assert len(comparison.failed) == 1
    assert "failed 1×: majority: NoCandidatesError" in str(comparison)


class Broken(tts.Strategy):
    """Fails on every problem. No paper."""

    name: ClassVar[str] = "broken"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        raise ValueError("not today")


def test_a_strategy_that_failed_on_every_problem_has_no_accuracy() -> None:
    found = tts.Sampled(boxed(1, 1, 2, 2), "1")
    comparison = tts.compare([found], strategies=["majority", Broken(), "first"], k=2)
    assert comparison.accuracy("broken") is comparison.gap("broken", "majority") is comparison.rescue("broken") is None
    assert comparison.accuracy("majority").mean == 0.5
    assert comparison.by_n_correct("broken") == {}
    assert [(pair.a, pair.b) for pair in comparison.pairs()] == [("majority", "first")]
    main, outcomes, gaps, by_number, _ = map(str, comparison.tables())
    (row,) = [line.split() for line in main.splitlines() if line.startswith("broken")]
    assert row[1] == "failed"
    assert "failed 2×: broken: StrategyError: strategy 'broken' raised ValueError: not today" in main
    assert "broken" not in gaps + by_number
    (row,) = [line.split() for line in outcomes.splitlines() if line.startswith("broken")]
    assert row == ["broken", "2", "0.0", "…", "100.0"], "two failed, which is neither right nor wrong"
    summary = comparison.to_dict()
    assert summary["strategies"]["broken"]["accuracy"] is None
    assert summary["strategies"]["broken"]["failed"] == 2


def test_a_problem_that_could_not_be_sampled_is_missing_in_every_row(fake) -> None:
    def before(request: tts.Request) -> None:
        if request.context == "p1":
            raise tts.ContextLengthError(5000, 1000, "fake:m")

    fake(before=before, script=lambda *_: "\\boxed{1}")
    run = tts.run([e.model_copy(update={"answer": "1"}) for e in sums(4)], strategy="majority", model="fake:m")
    assert run.pass_at_1.mean == run.pass_at_k.mean == run.accuracy("majority").mean == 1
    assert run.accuracy("majority").n == run.pass_at_1.n == 3
    assert run.pass_at_1_bounds == run.pass_at_k_bounds == run.bounds("majority") == (0.75, 1)
    assert list(run.by_n_correct("majority")) == [4], "an unsampled group has no number of correct candidates"


def test_few_problems_give_no_verdict() -> None:
    def sets(count: int) -> list[tts.Sampled]:
        found = [candidate_set("\\boxed{2}", "\\boxed{1}", "\\boxed{1}", problem=f"{i}+0") for i in range(count)]
        problems = [one.problem.model_copy(update={"id": f"p{i}"}) for i, one in enumerate(found)]
        return [tts.Sampled(s.model_copy(update={"problem": p}), "1") for s, p in zip(found, problems, strict=True)]

    class Last(tts.Strategy):
        name: ClassVar[str] = "last"

        async def aggregate(self, ctx: tts.Context) -> tts.Decision:
            return tts.Decision(text="\\boxed{2}")

    for count, word in ((3, "cannot tell at this n"), (30, "worse")):
        assert word in str(tts.compare(sets(count), strategies=["majority", Last()], k=3))


def test_a_failing_grader_costs_grades_not_results(fake) -> None:
    class Broken:
        async def grade(self, pairs):
            return [True]

        async def aclose(self) -> None: ...

    fake()
    tts.plugins().register("grader", "broken", Broken)
    with pytest.warns(tts.PluginWarning, match="grader 'broken' gave 1 verdicts for"):
        run = tts.run(sums(2), strategy="majority", model="fake:m", grader="broken")
    assert run.accuracy("majority") is None
    assert len(run.answers) == 2


def test_no_difference_is_not_a_negative_one() -> None:
    found = tts.eval.clustered_difference([("a", 0.1 + 0.2 - 0.3), ("a", -(0.1 + 0.2 - 0.3)), ("b", -1e-17)])
    assert found is not None
    assert f"{found.mean:+.1f}" == "+0.0"
