"""Weighted votes against a plain re-computation."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
from doubles import boxed, candidate_set, decide, recorded
from hypothesis import given
from hypothesis import strategies as st

import tts

REDUCE = {"sum": math.fsum, "mean": lambda v: math.fsum(v) / len(v), "max": max}
Vote = tuple[int, float]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-8, 8).map(lambda n: n / 4)), min_size=1, max_size=8),
    st.sampled_from(sorted(REDUCE)),
    st.booleans(),
)
def test_agrees_with_counting_by_hand(votes: list[Vote], reduce: str, softmax: bool) -> None:
    answers, scores = [a for a, _ in votes], [s for _, s in votes]
    powers = [math.exp(score) for score in scores]
    weights = [power / sum(powers) for power in powers] if softmax else scores
    classes = defaultdict(list)
    for answer, weight in zip(answers, weights, strict=True):
        classes[answer].append(weight)
    total = {answer: REDUCE[reduce](own) for answer, own in classes.items()}
    strategy = tts.strategy("weighted_majority", reduce=reduce, softmax=softmax)
    result = decide(recorded(boxed(*answers), reward=scores), strategy, scorer="recorded:reward")
    winner = int(result.answer)
    assert total[winner] == pytest.approx(max(total.values()))
    own = [(scores[i], -i) for i, answer in enumerate(answers) if answer == winner]
    assert result.decision.chosen == -max(own)[1], "the class's best response"
    if min(total.values()) >= 0 and sum(total.values()) > 0:
        assert result.decision.confidence == pytest.approx(total[winner] / sum(total.values()))
    else:
        assert result.decision.confidence is None


def test_negative_rewards_that_are_summed_are_told_with_the_way_out() -> None:
    found = recorded(boxed(4, 4, 5, 4, 4, 5, 4, 4, 5), rm=[-1, -1, -1.5, 1, 1, -3, 1, 1, 3])
    table = tts.compare([found], strategies=["weighted_majority"], k=3, scorer="recorded:rm")
    assert [result.answer for result in table.results] == ["5", "4", "5"], "the class of 4 is punished for its size"
    assert "weighted_majority: negative rewards summed (softmax=true avoids it) 2 of 3 (66.7 %)" in str(table)
    for parameters in ({"softmax": True}, {"reduce": "mean"}):
        strategy = tts.strategy("weighted_majority", **parameters)
        table = tts.compare([found], strategies=[strategy], k=3, scorer="recorded:rm")
        assert (table.results[0].answer, table.rates("weighted_majority")) == ("4", {})


def test_classes_are_of_equal_answers_not_equal_strings() -> None:
    found = recorded(boxed("1/2", "0.5", "3"), reward=[2, 2, 3])
    result = decide(found, "weighted_majority", scorer="recorded:reward")
    assert (result.answer, result.decision.trace["votes"]) == ("1/2", [["1/2", 4.0], ["3", 3.0]])


def test_equal_classes_go_to_the_earliest() -> None:
    result = decide(recorded(boxed(7, 5, 5), reward=[2, 1, 1]), "weighted_majority", scorer="recorded:reward")
    assert (result.answer, result.decision.trace["tied"]) == ("7", True)


def test_candidates_without_an_answer_do_not_vote() -> None:
    found = recorded(candidate_set("hm", "so \\boxed{4}"), reward=[9, 1])
    result = decide(found, "weighted_majority", scorer="recorded:reward")
    assert (result.answer, result.decision.trace["scores"]) == ("4", [[1, 1.0]])
    nobody = decide(recorded(candidate_set("hm", "well"), reward=[]), "weighted_majority", scorer="recorded:reward")
    assert (nobody.decision.chosen, nobody.decision.confidence, nobody.error) == (0, 0.0, None)
