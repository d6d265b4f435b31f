"""Pairs of strategies: one interval, and a verdict that is nothing but that interval."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.eval import Pair, clustered_difference, compare_pairs
from tts.metrics.difference import difference

OBSERVED = st.lists(
    st.tuples(st.sampled_from("pqrstuvwxyz"), st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0])), min_size=1, max_size=60
)


@given(OBSERVED, st.integers(1, 20))
def test_verdict_interval_and_p_never_contradict_each_other(observed: list[tuple[str, float]], asked: int) -> None:
    found = difference(observed)
    assert found is not None
    at_once = found.interval(asked)
    assert at_once.low <= found.mean <= at_once.high
    assert at_once.low < at_once.high, "nobody knows so much"
    if abs(found.p * asked - 0.05) > 1e-6:
        assert (at_once.low > 0 or at_once.high < 0) == (found.p * asked < 0.05)
    single = found.interval()
    assert at_once.low <= single.low
    assert single.high <= at_once.high


@given(OBSERVED)
def test_the_other_side_of_a_difference_is_its_mirror_image(observed: list[tuple[str, float]]) -> None:
    one, other = clustered_difference(observed), clustered_difference([(name, -value) for name, value in observed])
    assert one is not None
    assert other is not None
    assert (other.mean, other.low, other.high) == pytest.approx((-one.mean, -one.high, -one.low))


def test_the_interval_by_hand() -> None:
    """Four of thirty problems are rescued and none is harmed: two more that differ, one each way."""
    found = clustered_difference([(str(i), float(i < 4)) for i in range(30)])
    squares = 4 - 30 * (4 / 30) ** 2 + 2
    half = 2.0452296 * (squares / (30 * 29)) ** 0.5
    assert found is not None
    assert (found.low, found.high) == pytest.approx((4 / 30 - half, 4 / 30 + half), abs=1e-6)


@pytest.mark.parametrize("problems", range(1, 30))
def test_fewer_than_six_problems_that_differ_never_tell(problems: int) -> None:
    for differ in range(min(problems, 5) + 1):
        found = clustered_difference([(str(i), float(i < differ)) for i in range(problems)])
        assert found is not None
        assert found.low <= 0 or (differ == 5 and 6 <= problems < 9), "the exact sign test needs six"


def test_no_problem_that_differs_is_not_certainty() -> None:
    found = clustered_difference([(str(i), 0.0) for i in range(100)])
    assert found is not None
    assert found.high == -found.low == pytest.approx(0.028, abs=0.002), "three of a hundred are not ruled out"
    alone = clustered_difference([("p", 1.0), ("p", 0.0)])
    assert alone is not None
    assert (alone.mean, alone.low, alone.high) == (0.5, -1, 1)


@pytest.mark.parametrize(
    ("better", "worse", "groups"), [(0.1, 0.0, 1), (0.1, 0.0, 4), (0.25, 0.1, 1), (0.15, 0.15, 4), (0.4, 0.4, 1)]
)
def test_intervals_cover_and_verdicts_are_seldom_false(better: float, worse: float, groups: int) -> None:
    """A part of benchmarks/calibration.py: one-sided, two-sided and null differences of 30 problems."""
    rng, covered, told, trials = np.random.default_rng(0), 0, 0, 400
    for _ in range(trials):
        differ = rng.binomial(groups, rng.beta((better + worse) * 3, (1 - better - worse) * 3, 30))
        first = rng.binomial(differ, better / (better + worse))
        found = clustered_difference([(str(i), v) for i, v in enumerate(((2 * first - differ) / groups).tolist())])
        assert found is not None
        covered += found.low <= better - worse <= found.high
        told += found.low > 0 or found.high < 0
    assert covered / trials >= 0.92
    if better == worse:
        assert told / trials <= 0.07, "5 %, and three standard errors of 400 trials less one"


def test_of_fifteen_pairs_of_equals_hardly_any_is_told_apart() -> None:
    rng, false = np.random.default_rng(1), 0
    problems = [str(i) for i in range(40)]
    for _ in range(60):
        shares = {name: [Fraction(int(one)) for one in rng.random(40) < 0.6] for name in "abcdef"}
        false += any(pair.verdict != "cannot tell" for pair in compare_pairs(problems, shares))
    assert false / 60 <= 0.12


@given(
    st.lists(st.tuples(st.sampled_from("pqr"), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=12)
)
@settings(max_examples=20, deadline=None)
def test_pairs_are_of_all_strategies_and_by_problem(rows: list[tuple[str, bool, bool, bool]]) -> None:
    shares = {label: [Fraction(row[i]) for row in rows] for i, label in enumerate("abc", 1)}
    found = compare_pairs([row[0] for row in rows], shares)
    assert [(one.a, one.b) for one in found] == list(combinations("abc", 2))
    for one in found:
        differences = [x - y for x, y in zip(shares[one.a], shares[one.b], strict=True)]
        totals = [
            sum(d for d, row in zip(differences, rows, strict=True) if row[0] == p) for p in {row[0] for row in rows}
        ]
        assert one.difference.mean == pytest.approx(float(sum(differences)) / len(rows))
        assert (one.more, one.fewer) == (sum(t > 0 for t in totals), sum(t < 0 for t in totals))
        assert one.verdict == "cannot tell", "three problems never tell"
        assert one.p <= one.adjusted <= 1
        assert one.turned().turned() == one


@given(
    st.lists(st.tuples(st.sampled_from("pqrs"), st.booleans(), st.booleans()), min_size=1, max_size=10),
    st.randoms(use_true_random=False),
)
@settings(max_examples=20)
def test_the_order_of_the_groups_changes_nothing(rows: list[tuple[str, bool, bool]], chance: random.Random) -> None:
    def pairs(of: list[tuple[str, bool, bool]]) -> list[Pair]:
        problems, first, second = zip(*of, strict=True)
        return compare_pairs(problems, {"a": [Fraction(one) for one in first], "b": [Fraction(one) for one in second]})

    assert pairs(chance.sample(rows, len(rows))) == pairs(rows)


def test_the_lines() -> None:
    problems = [str(i) for i in range(40)]
    shares = {
        "good": [Fraction(1)] * 40,
        "bad": [Fraction(i < 20) for i in range(40)],
        "poor": [Fraction(i < 21) for i in range(40)],
    }
    lines = {(one.a, one.b): str(one) for one in compare_pairs(problems, shares)}
    assert lines["good", "bad"].startswith("good is better than bad: +50.0 points (")
    assert "for all 3 pairs at once), better on 20 problems and worse on 0" in lines["good", "bad"]
    assert lines["bad", "poor"].startswith("bad and poor: cannot tell with 40 problems: -2.5 points")
    assert lines["bad", "poor"].endswith("in 4 of 5 trials")
    assert compare_pairs(problems, {"alone": shares["good"]}) == compare_pairs([], {"a": [], "b": []}) == []


@pytest.mark.parametrize(("problems", "differ", "harmed"), [(100, 1, 0), (100, 12, 6), (400, 40, 40)])
def test_what_is_called_detectable_is_found_in_four_of_five_trials(problems: int, differ: int, harmed: int) -> None:
    """One of a hundred that differs says nothing of 785 problems, but that a difference of nine points would show."""
    seen = [1.0] * differ + [-1.0] * harmed + [0.0] * (problems - differ - harmed)
    found = difference([(str(i), one) for i, one in enumerate(seen)])
    assert found is not None
    least = found.detectable()
    assert least is not None
    assert least.low <= least.difference <= least.high
    rate = max((differ + harmed) / problems, least.difference)
    better = (rate + least.difference) / 2
    rng, told, trials = np.random.default_rng(2), 0, 300
    for _ in range(trials):
        more, fewer, _ = rng.multinomial(problems, [better, rate - better, 1 - rate])
        values = [1.0] * more + [-1.0] * fewer + [0.0] * (problems - more - fewer)
        again = clustered_difference([(str(i), one) for i, one in enumerate(values)])
        told += again is not None and again.low > 0
    assert 0.72 <= told / trials <= 0.93
    assert str(least).startswith(f"{problems} problems show a difference of ")


def test_power_from_what_was_seen_is_no_longer_given() -> None:
    (pair,) = compare_pairs(["a", "b"], {"x": [Fraction(1)] * 2, "y": [Fraction(0)] * 2})
    with pytest.warns(DeprecationWarning, match=r"Pair\.needed is None and ends in release"):
        assert pair.needed is None
    with pytest.warns(DeprecationWarning, match=r"Pair\.samples is None and ends in release"):
        assert pair.samples is None


def contradicting(folder: Path) -> Path:
    """Thirty problems of four candidates; on four of them only the one with the highest score is right."""
    rows = []
    for i in range(30):
        texts = [r"\boxed{7}"] * 3 + [r"\boxed{42}"] if i < 4 else [r"\boxed{42}"] * 4
        row = {"id": str(i), "problem": f"6*7 (version {i})?", "answer": "42", "candidates": texts, "rm": [0, 0, 0, 9]}
        rows.append(json.dumps(row) + "\n")
    path = folder / "contradicting.jsonl"
    path.write_text("".join(rows), "utf-8")
    return path


def test_one_page_has_one_verdict(tmp_path: Path) -> None:
    """Four rescued of thirty, none harmed: 'better' by one table and 'cannot tell' by the next, before."""
    found = tts.compare(contradicting(tmp_path), strategies=["majority", "best_of_n"], k=4, scorer="recorded:rm")
    (table,) = [one for one in found.tables() if one.title.startswith("Refinement Gap")]
    (pair,) = found.pairs()
    assert table.rows == [["best_of_n (BoN@4)", "+13.3", "-2.9 … +29.5", "cannot tell at this n"]]
    assert pair.verdict == "cannot tell"
    assert found.gap("best_of_n", "majority") == pair.turned().difference


def test_a_pair_that_is_turned_has_no_negative_zero() -> None:
    (pair,) = compare_pairs(["a", "b"], {"one": [Fraction(1), Fraction(0)], "other": [Fraction(1), Fraction(0)]})
    assert f"{pair.turned().difference.mean:+.1f}" == "+0.0"
