from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tts_trainers.candidates import keep_by_correctness, too_easy

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


@given(flags=st.lists(st.booleans(), max_size=40), share=st.floats(0, 1), seed=st.integers(0, 9))
def test_as_many_easy_ones_stay_as_the_share_allows(flags: list[bool], share: float, seed: int) -> None:
    dropped = too_easy(flags, share, rng=random.Random(seed))
    assert all(flags[i] for i in dropped)
    easy, hard = sum(flags) - len(dropped), flags.count(False)
    assert share == 1 or easy <= share * (easy + hard) + 1e-9
    one_more = (easy + 1) <= share * (easy + 1 + hard) - 1e-9
    assert not dropped or not one_more, "no more are dropped than must be"
