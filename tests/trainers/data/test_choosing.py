from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tts_trainers.data.candidates import keep_by_correctness, over_shares

FLAGS = st.lists(st.booleans(), min_size=1, max_size=12)


@given(correct=FLAGS, of_all_correct=st.integers(1, 12), seed=st.integers(0, 9))
def test_the_papers_rule(correct: list[bool], of_all_correct: int, seed: int) -> None:
    kept = keep_by_correctness(correct, of_all_correct=of_all_correct, rng=random.Random(seed))
    assert kept == sorted(set(kept))
    assert all(correct[i] for i in kept)
    expected = min(of_all_correct, len(correct)) if all(correct) else sum(correct)
    assert len(kept) == expected


def test_ten_of_ten_are_four_at_random() -> None:
    drawn = {tuple(keep_by_correctness([True] * 10, of_all_correct=4, rng=random.Random(i))) for i in range(40)}
    assert {len(kept) for kept in drawn} == {4}
    assert len(drawn) > 20


def _kept(strata: list[int], shares: dict[int, float], seed: int = 0) -> Counter[int]:
    dropped = over_shares(strata, shares, rng=random.Random(seed))
    return Counter(n for i, n in enumerate(strata) if i not in dropped)


@given(strata=st.lists(st.integers(0, 1), max_size=40), share=st.floats(0, 1), seed=st.integers(0, 9))
def test_as_many_of_one_stratum_stay_as_its_share_allows(strata: list[int], share: float, seed: int) -> None:
    kept = _kept(strata, {1: share}, seed)
    assert kept[0] == strata.count(0)
    assert share == 1 or kept[1] <= share * kept.total() + 1e-9
    one_more = kept[1] + 1 <= share * (kept.total() + 1) - 1e-9
    assert kept[1] == strata.count(1) or not one_more, "no more are dropped than must be"


COUNTS = st.lists(st.integers(0, 7), min_size=3, max_size=3)
SHARES = st.dictionaries(st.integers(0, 2), st.sampled_from([0.0, 0.1, 0.25, 0.3, 1 / 3, 0.5, 0.7, 1.0]))


@given(counts=COUNTS, shares=SHARES)
def test_shares_of_several_strata_against_brute_force(counts: list[int], shares: dict[int, float]) -> None:
    def fits(total: float) -> bool:
        """There are prompts enough for so many, each stratum at its share."""
        return sum(min(count, shares.get(n, 1) * total) for n, count in enumerate(counts)) >= total - 1e-9

    there = [n for n, count in enumerate(counts) if count]
    if len(shares) > 1 and all(n in shares for n in there) and 0 < (together := sum(shares[n] for n in there)) < 1:
        shares = {n: shares[n] / together for n in there}
    best = max(step / 100 for step in range(100 * sum(counts) + 1) if fits(step / 100))
    kept = _kept([n for n, count in enumerate(counts) for _ in range(count)], shares)
    assert best - len(counts) < kept.total() <= best + 0.01
    assert all(kept[n] <= share * (kept.total() + len(counts)) + 1e-9 for n, share in shares.items())
    assert all(kept[n] == count for n, count in enumerate(counts) if n not in shares)


def test_shares_that_sum_to_one_are_a_mixture() -> None:
    strata = [0] * 500 + [1] * 60 + [2] * 1000
    assert _kept(strata, {0: 0.33, 1: 0.33, 2: 0.34}) == {0: 60, 1: 60, 2: 61}
    assert _kept(strata, {0: 0.1, 1: 0.1, 2: 0.8}) == {0: 60, 1: 60, 2: 480}
    assert _kept(strata, {0: 0.05, 1: 0.05, 2: 0.4}) == {0: 60, 1: 60, 2: 480}
    assert _kept(strata, {0: 0.0, 1: 0.0, 2: 0.0}) == {}
    assert _kept(strata, {0: 0.5, 7: 0.0}) == Counter(strata)
