"""Unbiased curves against brute force over all subsets."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.eval import best_of_at_k, clustered_mean, curve, maj_at_k, pass_at_k, weighted_maj_at_k

SAMPLE = st.tuples(st.integers(-1, 3), st.booleans(), st.integers(-2, 2))
SETS = st.integers(1, 7).flatmap(lambda n: st.lists(st.lists(SAMPLE, min_size=n, max_size=n), min_size=1, max_size=4))


def columns(sets: list[list[tuple[int, bool, int]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(sets, dtype=int)
    return table[..., 0], table[..., 1].astype(bool), table[..., 2]


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def over_subsets(samples: list, k: int, decide) -> float:
    return float(mean([decide(list(subset)) for subset in combinations(samples, k)]))


def best(subset: list) -> Fraction:
    top = max(score for _, _, score in subset)
    return mean([Fraction(right) for _, right, score in subset if score == top])


def vote(samples: list, weighted: bool):
    def decide(subset: list) -> Fraction:
        weights: dict[int, int] = defaultdict(int)
        for label, _, score in subset:
            if label >= 0:
                weights[label] += score if weighted else 1
        if not weights:
            return Fraction(0)
        winners = [label for label, weight in weights.items() if weight == max(weights.values())]
        return mean([mean([Fraction(right) for own, right, _ in samples if own == label]) for label in winners])

    return decide


def assert_equal(found: np.ndarray, sets: list, decide_for) -> None:
    for row, samples in zip(found, sets, strict=True):
        for k, value in enumerate(row, 1):
            assert value == pytest.approx(over_subsets(samples, k, decide_for(samples)), abs=1e-12)


@given(SETS)
def test_pass_at_k(sets: list) -> None:
    _, correct, _ = columns(sets)
    assert_equal(pass_at_k(correct), sets, lambda _: lambda s: Fraction(any(right for _, right, _ in s)))


@given(SETS)
def test_best_of_at_k(sets: list) -> None:
    _, correct, scores = columns(sets)
    assert_equal(best_of_at_k(scores, correct), sets, lambda _: best)


@given(SETS)
def test_maj_at_k(sets: list) -> None:
    labels, correct, _ = columns(sets)
    found = maj_at_k(labels, correct)
    assert_equal(found.mean, sets, lambda samples: vote(samples, weighted=False))
    assert not found.error.any()


@given(SETS)
@settings(deadline=None)
def test_weighted_maj_at_k(sets: list) -> None:
    labels, correct, scores = columns(sets)
    found = weighted_maj_at_k(labels, scores, correct)
    assert_equal(found.mean, sets, lambda samples: vote(samples, weighted=True))
    assert not found.error.any()


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_a_vote_of_many_is_the_sum_over_compositions(sizes: list[int], silent: int) -> None:
    """Larger n than subsets can be listed for: counts of each class, in whole numbers."""
    labels = [c for c, size in enumerate(sizes) for _ in range(size)] + [-1] * silent
    found = maj_at_k([labels], [[label == 0 for label in labels]]).mean[0]
    for k in {1, min(2, len(labels)), (len(labels) + 1) // 2, len(labels)}:
        ways: dict[tuple[int, int, int, int], int] = {(0, 0, 0, 0): 1}  # taken, first's votes, best of others, of them
        for c, size in enumerate(sizes):
            grown: dict[tuple[int, int, int, int], int] = defaultdict(int)
            for (taken, first, top, tied), count in ways.items():
                for x in range(min(size, k - taken) + 1):
                    state = (x, top, tied) if c == 0 else (first, max(top, x), 1 if x > top else tied + (x == top))
                    grown[taken + x, *state] += count * math.comb(size, x)
            ways = grown
        right = Fraction(0)
        for (taken, first, top, tied), count in ways.items():
            if first and first >= top:
                right += Fraction(count * math.comb(silent, k - taken), 1 + (tied if first == top else 0))
        assert found[k - 1] == pytest.approx(float(right / math.comb(len(labels), k)), rel=1e-12)


def test_drawn_votes_agree_with_exact_ones_within_their_error() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(-1, 6, (40, 20))
    correct = labels == 2
    exact = maj_at_k(labels, correct).mean
    drawn = weighted_maj_at_k(labels, np.ones(labels.shape), correct, orders=300, seed=1)
    assert drawn.error.max() < 0.03
    assert drawn.error[:, -1].max() < 1e-8, "there is one subset of all"
    inner = slice(0, -1)
    off = np.abs(drawn.mean - exact)[:, inner] / np.maximum(drawn.error[:, inner], 1e-3)
    assert np.mean(off < 2) > 0.9
    again = weighted_maj_at_k(labels, np.ones(labels.shape), correct, orders=300, seed=1)
    assert (again.mean == drawn.mean).all()


def test_more_samples_than_can_be_counted_are_drawn() -> None:
    labels = np.tile(np.arange(600) % 3, (2, 1))
    found = maj_at_k(labels, labels == 0, orders=20)
    assert found.mean[:, 0] == pytest.approx(1 / 3, abs=0.4)
    assert found.mean[:, -1] == pytest.approx(1 / 3), "three equal classes tie"
    assert 0 < found.error[:, 100].max() < 0.15


def test_the_largest_exact_vote_has_no_overflow() -> None:
    labels = np.repeat([[0, 1]], [300, 212], axis=1)
    found = maj_at_k(labels, labels == 0).mean[0]
    assert found[0] == pytest.approx(300 / 512)
    assert found[-1] == 1
    assert (np.diff(found[::2]) > -1e-12).all(), "at odd k a larger vote is more often right"


def test_a_curve_has_the_interval_of_a_mean_over_problems() -> None:
    points = curve(["a", "b", "c"], np.array([[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]]))
    assert points[1].mean == 0.5
    assert points[1] == clustered_mean(zip("abc", [0.0, 0.5, 1.0], strict=True), (0.0, 1.0))
    assert (points[2].high, points[2].problems) == (1.0, 3)
    assert points[2].low < 1, "unanimous problems do not give certainty"
