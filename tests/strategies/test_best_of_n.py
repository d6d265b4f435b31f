"""Best-of-N on scores that are written down, against hand computation."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from doubles import LengthScorer, boxed, candidate_set, decide, recorded
from hypothesis import given
from hypothesis import strategies as st

import tts

SCORES = "recorded:reward"


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_the_highest_score_wins_and_ties_go_to_the_lowest_index(scores: list[int]) -> None:
    result = decide(recorded(boxed(*range(len(scores))), reward=scores), "best_of_n", scorer=SCORES)
    assert result.decision.chosen == scores.index(max(scores))
    assert result.decision.trace["scores"] == [[i, float(value)] for i, value in enumerate(scores)]
    assert result.decision.trace["tied"] == (scores.count(max(scores)) > 1)
    share = math.exp(max(scores)) / sum(map(math.exp, scores))
    assert result.decision.confidence == pytest.approx(share)


def test_huge_scores_do_not_overflow() -> None:
    result = decide(recorded(boxed(1, 2), reward=[1e300, -1e300]), "best_of_n", scorer=SCORES)
    assert (result.decision.chosen, result.decision.confidence) == (0, 1.0)


def test_empty_candidates_are_neither_scored_nor_chosen() -> None:
    found = recorded(candidate_set("", "\\boxed{2}", "\\boxed{3}"), reward=[9, 1, 2])
    result = decide(found, "best_of_n", scorer=SCORES)
    assert (result.answer, [i for i, _ in result.decision.trace["scores"]]) == ("3", [1, 2])


@pytest.mark.usefixtures("helpers")
def test_all_candidates_go_to_the_scorer_at_once_and_are_charged(tmp_path: Path) -> None:
    found = candidate_set("a \\boxed{1}", "longer \\boxed{2}", "bb \\boxed{3}")
    for _ in range(2):
        result = decide(found, "best_of_n", scorer="fake:s", store=tmp_path / "s.db")
        assert (result.answer, result.usage["scorer"].calls) == ("2", 3)
    assert LengthScorer.batches == [3], "the second time they come from the store"


def test_groups_of_a_file_keep_their_own_scores(tmp_path: Path) -> None:
    path = tmp_path / "sets.jsonl"
    rows = [
        {"problem": "1+1?", "answer": "2", "candidates": [f"\\boxed{{{x}}}" for x in "3223"], "rm": [1, 5, 2, 7]},
        {"problem": "1+2?", "answer": "3", "candidates": [f"\\boxed{{{x}}}" for x in "3334"], "rm": [9, 8, 7, 6]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = {}
    for k in (2, 4):
        comparison = tts.compare(str(path), strategies=["best_of_n"], k=k, scorer="recorded:rm")
        chosen[k] = [(r.problem.text, r.group, r.decision.chosen, r.answer) for r in comparison.results]
    assert sorted(chosen[2]) == [
        ("1+1?", 0, 1, "2"),
        ("1+1?", 1, 1, "3"),
        ("1+2?", 0, 0, "3"),
        ("1+2?", 1, 0, "3"),
    ]
    assert sorted(chosen[4]) == [("1+1?", 0, 3, "3"), ("1+2?", 0, 0, "3")]


def test_equal_texts_keep_their_own_recorded_scores(tmp_path: Path) -> None:
    for scores in ([1, 2, 0], [2, 1, 0]):
        found = recorded(boxed(5, 5, 6), reward=scores)
        result = decide(found, "best_of_n", scorer=SCORES, store=tmp_path / "one.db")
        assert result.decision.chosen == scores.index(2), "another file's scores do not come from the store"


@pytest.mark.parametrize(
    ("lists", "sentence"),
    [
        ({"reward": [1, None]}, "candidate 1 of problem 'p' has None recorded as 'reward'; it must be a number"),
        ({"reward": [1, float("nan")]}, "has nan recorded as 'reward'"),
        ({"reward": [1]}, "candidate 1 of problem 'p' has None"),
    ],
)
def test_what_is_not_recorded_is_one_sentence(lists: dict, sentence: str) -> None:
    assert sentence in (decide(recorded(boxed(1, 2), **lists), "best_of_n", scorer=SCORES).error or "")


def test_without_a_scorer_it_says_which_argument_gives_it() -> None:
    with pytest.raises(tts.MissingRoleError, match="strategy 'best_of_n' needs a scorer: pass scorer='scorer:model'"):
        decide(boxed(1, 2), "best_of_n")
