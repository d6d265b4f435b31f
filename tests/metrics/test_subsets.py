"""`estimator="subsets"` in every table that has one: against brute force over all subsets."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from doubles import candidate_set
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.eval import Comparison
from tts.metrics.subset_decisions import decided_on, subsets_of

ANSWERS = st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=2, max_size=4)


def compared(answers: list[list[int]], k: int = 3) -> Comparison:
    sets = []
    for number, own in enumerate(answers):
        made = candidate_set(*[rf"\boxed{{{one}}}" for one in own], problem=f"{number}+0?")
        problem = tts.Problem(id=f"p{number}", prompt=f"{number}+0?")
        sets.append(tts.Sampled(made.model_copy(update={"problem": problem}), "1"))
    found = tts.compare(sets, strategies=["majority", "first"], k=k)
    found.estimator = "subsets"
    return found


def vote(own: tuple[int, ...]) -> float:
    counts = Counter(own)
    best = [one for one, count in counts.items() if count == max(counts.values())]
    return (1 in best) / len(best)


@given(ANSWERS)
@settings(max_examples=8, deadline=None)
def test_gap_rescue_and_correct_candidates_are_over_all_subsets(answers: list[list[int]]) -> None:
    found = compared(answers)
    votes = [[vote(one) for one in combinations(own, 3)] for own in answers]
    firsts = [[one.count(1) / 3 for one in combinations(own, 3)] for own in answers]
    gap = found.gap("majority", "first")
    unbiased = [found.unbiased(one) for one in ("majority", "first")]
    assert gap.mean == pytest.approx(np.mean(votes) - np.mean(firsts))
    assert gap.mean == pytest.approx(unbiased[0].mean - unbiased[1].mean), "the gap is what accuracies differ by"
    assert found.pair("majority", "first").difference == gap
    rescue = found.rescue("majority", "first")
    both = np.array(votes) * np.array(firsts)
    assert rescue.both.mean == pytest.approx(both.mean())
    assert rescue.rescued.mean == pytest.approx((np.array(votes) * (1 - np.array(firsts))).mean())
    assert rescue.rescued.mean - rescue.harmed.mean == pytest.approx(gap.mean)
    correct = [one.count(1) for own in answers for one in combinations(own, 3)]
    for n, share in found.by_n_correct("majority").items():
        at = [v for v, c in zip(np.ravel(votes), correct, strict=True) if c == n]
        assert share.mean == pytest.approx(np.mean(at))
    assert set(found.by_n_correct("majority")) == set(correct)


def test_groups_stay_groups_unless_subsets_are_asked_for() -> None:
    found = compared([[1, 1, 0, 1, 0, 0], [0, 0, 1, 1, 1, 0]])
    over_subsets = found.gap("majority", "first").mean
    found.estimator = "groups"
    assert found.gap("majority", "first").n == 4
    assert found.estimated("majority", "first") == "groups"
    found.estimator = "subsets"
    assert found.gap("majority", "first").mean == over_subsets


def test_the_table_says_what_a_gap_is_over() -> None:
    (table,) = [one for one in compared([[1, 1, 0, 1, 0, 0]] * 7).tables() if one.title.startswith("Refinement Gap")]
    assert table.head[3] == "over"
    assert table.rows[0][3] == "subsets"


@given(st.lists(st.booleans(), min_size=2, max_size=6), st.sampled_from([0.01, 0.5, 0.75, 1.0]))
def test_how_steady_a_policy_is_is_counted_over_all_subsets(correct: list[bool], tau: float) -> None:
    found = tts.eval.g_pass_at_k([correct], tau)[0]
    for k in range(1, len(correct) + 1):
        every = [sum(one) >= max(1, tau * k) for one in combinations(correct, k)]
        assert found[k - 1] == pytest.approx(np.mean(every))
    if tau < 0.1:
        assert found == pytest.approx(tts.eval.pass_at_k([correct])[0])


def test_steadiness_of_a_comparison() -> None:
    found = compared([[1, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
    assert found.g_pass(1.0).mean == pytest.approx((1 / 20 + 1) / 2), "one of twenty subsets of three"
    assert found.g_pass(0.5, k=7) is None
    with pytest.raises(tts.ConfigError, match="tau=2, k=3: give a share above 0"):
        found.g_pass(2)


def test_all_subsets_are_listed_while_they_are_few() -> None:
    assert sorted(map(tuple, subsets_of(5, 3).tolist())) == list(combinations(range(5), 3))
    drawn = subsets_of(40, 4)
    assert len(drawn) == 2000
    assert all(len(set(row)) == 4 for row in drawn.tolist())
    assert (drawn == subsets_of(40, 4)).all(), "seeded"


@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 3)), min_size=4, max_size=6))
def test_decisions_have_the_means_of_the_curves(candidates: list[tuple[int, int]]) -> None:
    labels, scores = (list(one) for one in zip(*candidates, strict=True))
    correct = [label == 0 for label in labels]
    chosen = subsets_of(len(labels), 3)
    curves = {
        "pass@1": np.full(9, np.mean(correct)),
        "maj@k": tts.eval.maj_at_k([labels], [correct]).mean[0],
        "BoN@k": tts.eval.best_of_at_k([scores], [correct])[0],
        "weighted maj@k": tts.eval.weighted_maj_at_k([labels], [scores], [correct]).mean[0],
    }
    for name, curve in curves.items():
        assert decided_on(name, chosen, labels, correct, scores).mean() == pytest.approx(curve[2]), name
