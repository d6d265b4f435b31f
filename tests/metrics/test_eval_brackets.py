"""Knockout@k against all brackets there are, and from the trace of a real round robin."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from doubles import boxed
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.eval import knockout_at_k

PAIRS = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=6, max_size=6)


def matrix(values: list[float]) -> np.ndarray:
    wins = np.full((4, 4), 0.5)
    for (i, j), value in zip(combinations(range(4), 2), values, strict=True):
        wins[i, j], wins[j, i] = value, 1 - value
    return wins


def duel(wins: np.ndarray, a: dict[int, float], b: dict[int, float]) -> dict[int, float]:
    """Chances to win, from the chances to be there."""
    return {i: p * sum(q * wins[i, j] for j, q in b.items()) for i, p in a.items()} | {
        j: q * sum(p * wins[j, i] for i, p in a.items()) for j, q in b.items()
    }


def champion(wins: np.ndarray, members: tuple[int, ...]) -> dict[int, float]:
    """Chances of each of up to four, over all draws of the first round; the second has one pairing, or a bye each."""
    if len(members) == 2:
        return duel(wins, {members[0]: 1.0}, {members[1]: 1.0})
    first, *rest = members
    draws = []
    if len(members) == 3:  # whoever waits meets the winner of the others
        for bye in members:
            a, b = (m for m in members if m != bye)
            draws.append(duel(wins, duel(wins, {a: 1.0}, {b: 1.0}), {bye: 1.0}))
    else:
        for partner in rest:
            a, b = (m for m in rest if m != partner)
            draws.append(duel(wins, duel(wins, {first: 1.0}, {partner: 1.0}), duel(wins, {a: 1.0}, {b: 1.0})))
    return {m: sum(draw[m] for draw in draws) / len(draws) for m in members}


@given(PAIRS, st.lists(st.booleans(), min_size=4, max_size=4))
@settings(max_examples=25)
def test_resampled_brackets_agree_with_all_of_them(values: list[float], correct: list[bool]) -> None:
    wins = matrix(values)
    found = knockout_at_k([wins], [correct], brackets=3000, seed=1)
    assert found.mean[0, 0] == np.mean(correct)
    for k in (2, 3, 4):
        subsets = [champion(wins, members) for members in combinations(range(4), k)]
        exact = np.mean([sum(chance * correct[i] for i, chance in one.items()) for one in subsets])
        assert abs(found.mean[0, k - 1] - exact) <= 5 * max(found.error[0, k - 1], 1 / 3000)


def test_the_same_seed_draws_the_same() -> None:
    wins, correct = np.stack([matrix([1, 0, 0.5, 1, 0, 1])] * 2), [[1, 0, 0, 1]] * 2
    one, other = (knockout_at_k(wins, correct, seed=3) for _ in range(2))
    assert (one.mean == other.mean).all()
    assert one.error[:, 0].max() == 0 < one.error[:, 1].max() < 0.05


class Largest:
    """A judge that likes the larger answer."""

    Options = tts.NoOptions
    fingerprint = "largest"

    def __init__(self, model: str, options: Any) -> None: ...

    async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> tts.Verdict:
        return tts.Verdict(winner="a" if int(a.answer) > int(b.answer) else "b")

    async def aclose(self) -> None: ...


def test_a_round_robin_gives_the_curve_of_knockouts() -> None:
    pytest.importorskip("choix")
    tts.plugins().register("judge", "largest", Largest)
    sets = [tts.Sampled(boxed(1, 2, 3, 4), "4"), tts.Sampled(boxed(5, 5, 2, 1), "5")]
    sets[1] = sets[1]._replace(
        candidates=sets[1].candidates.model_copy(update={"problem": tts.Problem(id="q", prompt="other")})
    )
    both = ["round_robin", "knockout"]
    found = tts.compare(sets, strategies=both, k=4, judge="largest:x")
    curve = found.curves()["knockout@k"]
    assert curve.points[4].mean == 1, "the best of all wins every bracket"
    assert curve.points[1].mean == pytest.approx((1 / 4 + 2 / 4) / 2)
    best_is_in = (1 / 2 + 5 / 6) / 2
    assert abs(curve.points[2].mean - best_is_in) < 5 * curve.error[2]
    assert "knockout@k" not in tts.compare(sets, strategies=["knockout"], k=4, judge="largest:x").curves()


def test_who_has_nothing_to_show_goes_home_first() -> None:
    pytest.importorskip("choix")
    tts.plugins().register("judge", "largest", Largest)
    unfinished = boxed(1, 2).candidates[0].model_copy(update={"text": "<think>...", "summary": None, "answer": None})
    found = boxed(7, 3, 2)
    one = found.model_copy(update={"candidates": (*found.candidates[:2], unfinished.model_copy(update={"index": 2}))})
    curve = tts.compare([tts.Sampled(one, "3")], strategies=["round_robin"], k=3, judge="largest:x").curves()
    assert curve["knockout@k"].points[3].mean == 0, "7 beats 3, and both beat what was never finished"
    assert abs(curve["knockout@k"].points[2].mean - 1 / 3) < 5 * curve["knockout@k"].error[2]


def test_a_candidate_that_failed_is_in_no_bracket() -> None:
    """The curve of four of which one was refused is that of the other three, up to the Monte Carlo error."""
    pytest.importorskip("choix")
    tts.plugins().register("judge", "largest", Largest)
    whole = boxed(7, 3, 2)
    lost = tts.Candidate(index=1, text="", finish_reason="refused", error="no")
    first, *rest = whole.candidates
    members = (first, lost, *(one.model_copy(update={"index": i}) for i, one in enumerate(rest, 2)))
    four = whole.model_copy(update={"candidates": members})
    found = [
        tts.compare([tts.Sampled(one, "3")], strategies=["round_robin"], k=len(one), judge="largest:x").curves()
        for one in (four, whole)
    ]
    left, never = (one["knockout@k"] for one in found)
    assert list(left.points) == list(never.points) == [1, 2, 3]
    assert left == never, "the same seed draws the same brackets"
