"""Paired tests against brute force and against simulation."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.eval import Pair, compare_pairs
from tts.metrics.pairs import bootstrap, flip_p, groups_needed, holm, problems_needed

TOTALS = st.lists(st.fractions(-2, 2, max_denominator=4), min_size=1, max_size=7)


@given(TOTALS)
def test_all_signs_are_counted(totals: list[Fraction]) -> None:
    seen = abs(sum(totals))
    flipped = [
        abs(sum(s * t for s, t in zip(signs, totals, strict=True))) for signs in product((1, -1), repeat=len(totals))
    ]
    assert flip_p(totals) == pytest.approx(sum(value >= seen for value in flipped) / len(flipped))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 5))
def test_with_yes_and_no_it_is_mcnemars_exact_test(more: int, fewer: int, same: int) -> None:
    n, least = more + fewer, min(more, fewer)
    mcnemar = min(1.0, 2 * sum(math.comb(n, i) for i in range(least + 1)) / 2**n)
    assert flip_p([Fraction(1)] * more + [Fraction(-1)] * fewer + [Fraction(0)] * same) == pytest.approx(mcnemar)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_as_its_step_down_rule_does(ps: list[float]) -> None:
    adjusted = holm(ps)
    for alpha in (0.01, 0.05, 0.3):
        rejected, left = set(), sorted(range(len(ps)), key=lambda i: ps[i])
        while left and ps[left[0]] <= alpha / len(left):
            rejected.add(left.pop(0))
        clear = [abs(p * m - alpha) > 1e-9 for p in ps for m in range(1, len(ps) + 1)]
        if all(clear):  # a product at the limit itself may be rounded either way
            assert {i for i, p in enumerate(adjusted) if p <= alpha} == rejected


def test_the_bootstrap_draws_whole_problems() -> None:
    """Against every one of the 4^4 samples of four problems of unequal size."""
    totals, groups = [Fraction(1), Fraction(-1), Fraction(3), Fraction(0)], [1, 2, 4, 3]
    every = [sum(totals[i] for i in s) / sum(groups[i] for i in s) for s in product(range(4), repeat=4)]
    low, high = np.quantile([float(one) for one in every], [0.025, 0.975])
    (found,) = bootstrap([totals], groups)
    assert (found.mean, found.problems, found.n) == (0.3, 4, 10)
    assert found.low == pytest.approx(low, abs=0.06)
    assert found.high == pytest.approx(high, abs=0.06)
    assert bootstrap([totals], groups) == [found], "seeded"


def test_the_bootstrap_covers_about_95_percent() -> None:
    rng, covered = np.random.default_rng(0), 0
    for seed in range(40):
        skill = rng.random((80, 1)) - 0.5
        drawn = np.where(rng.random((80, 4)) < np.abs(skill), np.sign(skill), 0).sum(axis=1).astype(int)
        (found,) = bootstrap([[Fraction(int(one)) for one in drawn]], [4] * 80, seed=seed)
        covered += found.low <= 0 <= found.high
    assert covered >= 34


def test_no_problem_that_differs_is_not_certainty() -> None:
    (found,) = bootstrap([[Fraction(0)] * 10], [1] * 10)
    assert found.high == -found.low == pytest.approx(1 - 0.025**0.1)
    (alone,) = bootstrap([[Fraction(1)]], [2])
    assert (alone.mean, alone.low, alone.high) == (0.5, -1, 1)


def test_as_many_problems_as_it_says_tell_in_four_of_five_trials() -> None:
    seen = [Fraction(1)] * 12 + [Fraction(-1)] * 6 + [Fraction(0)] * 82
    needed = problems_needed(seen, [1] * 100)
    assert 350 < needed < 420, "(1.96 + 0.84)² · (0.18 − 0.06²) / 0.06²"
    rng, told = np.random.default_rng(1), 0
    for _ in range(200):
        more, fewer, _ = rng.multinomial(needed, [0.12, 0.06, 0.82])
        told += flip_p([Fraction(1)] * more + [Fraction(-1)] * fewer) <= 0.05
    assert 0.72 <= told / 200 <= 0.88
    assert problems_needed(seen, [1] * 100, pairs=6) > needed, "Holm asks for more"
    assert problems_needed([Fraction(0)] * 9, [1] * 9) is None
    assert problems_needed([Fraction(1)] * 3, [1] * 3) == 6, "unanimous, but three problems never tell"


@given(
    st.lists(st.tuples(st.sampled_from("pqr"), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=12)
)
@settings(max_examples=20, deadline=None)
def test_pairs_are_of_all_strategies_and_by_problem(rows: list[tuple[str, bool, bool, bool]]) -> None:
    shares = {label: [Fraction(row[i]) for row in rows] for i, label in enumerate("abc", 1)}
    found = compare_pairs([row[0] for row in rows], shares)
    assert [(one.a, one.b) for one in found] == list(combinations("abc", 2))
    for one in found:
        difference = [x - y for x, y in zip(shares[one.a], shares[one.b], strict=True)]
        totals = [
            sum(d for d, row in zip(difference, rows, strict=True) if row[0] == p) for p in {row[0] for row in rows}
        ]
        assert one.difference.mean == pytest.approx(float(sum(difference)) / len(rows))
        assert (one.more, one.fewer) == (sum(t > 0 for t in totals), sum(t < 0 for t in totals))
        assert one.verdict == "cannot tell", "three problems never tell"
        assert one.p <= one.adjusted <= 1


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
        "twin": [Fraction(i < 20) for i in range(40)],
    }
    lines = {(one.a, one.b): str(one) for one in compare_pairs(problems, shares)}
    assert lines["good", "bad"].startswith("good is better than bad: +50.0 points (")
    assert "better on 20 problems and worse on 0" in lines["good", "bad"]
    assert lines["bad", "poor"].startswith("bad and poor: cannot tell with 40 problems: -2.5 points")
    assert lines["bad", "poor"].endswith("problems would tell")
    assert lines["bad", "twin"].endswith("no difference to tell")
    assert compare_pairs(problems, {"alone": shares["good"]}) == compare_pairs([], {"a": [], "b": []}) == []


def test_as_many_groups_of_the_same_problems_as_are_needed_have_the_power_asked_for() -> None:
    """Every problem alike: better in 3 of 10 groups, worse in 2."""
    names = [str(i) for i in range(40) for _ in range(10)]
    seen = [Fraction(value) for _ in range(40) for value in (1, 1, 1, -1, -1, 0, 0, 0, 0, 0)]
    needed = groups_needed(names, seen)
    assert needed == 11, "(1.96 + 0.84)² · 10/9 · (0.5 − 0.1²) / (40 · 0.1²)"
    rng = np.random.default_rng(2)
    told = 0
    for _ in range(300):
        counts = rng.multinomial(needed, [0.3, 0.2, 0.5], size=40)
        told += flip_p([Fraction(int(more - fewer)) for more, fewer, _ in counts]) <= 0.05
    assert 0.72 < told / 300 < 0.9
    assert groups_needed(names, seen, pairs=6) > needed, "Holm asks for more"


def test_no_number_of_samples_tells_where_problems_differ() -> None:
    names = [str(i) for i in range(19) for _ in range(2)]
    assert groups_needed(names, [Fraction(1 if int(name) < 10 else -1) for name in names]) is None
    assert groups_needed(names, [Fraction(0)] * len(names)) is None, "no difference"
    assert groups_needed(names[::2], [Fraction(1), Fraction(0)] * 9 + [Fraction(1)]) is None, "one group of each"
    assert groups_needed(names[:6], [Fraction(1), Fraction(0)] * 3) is None, "three problems never tell"


def test_a_pair_says_how_many_samples_of_these_would_tell() -> None:
    names = [str(i) for i in range(6) for _ in range(10)]
    better, worse = [Fraction(i < 3) for i in range(10)], [Fraction(3 <= i < 5) for i in range(10)]
    shares = {"a": 4 * better + 2 * worse, "b": 4 * worse + 2 * better}
    (pair,) = compare_pairs(names, shares, k=4)
    assert pair.samples == 4 * groups_needed(names, [x - y for x, y in zip(*shares.values(), strict=True)])
    assert str(pair).endswith(f"problems would tell, or {pair.samples:,} candidates of each of these")
