from __future__ import annotations

import pytest

from tts_trainers.replica.generate import candidate
from tts_trainers.replica.measure import Outcome, as_markdown, summarise, vote


@pytest.mark.parametrize(
    ("answers", "share"),
    [
        (["1", "1", "2", "3"], 1.0),
        (["1", "2", "3", "4"], 0.25),
        (["2", "2", "1", "1"], 0.5),
        (["2", "2", "1", None], 0.0),
        ([None, None], 0.0),
    ],
)
def test_ties_of_a_vote_count_as_shares(answers: list[str | None], share: float) -> None:
    assert vote(answers, "1") == share


def test_summary_counts_rescue_and_harm_by_number_of_correct_candidates() -> None:
    outcomes = [Outcome(0, 0.0, True), Outcome(0, 0.0, False), Outcome(4, 1.0, True), Outcome(4, 1.0, False)]
    measured = summarise(outcomes, greedy=3, k=4, temperature=0.6)
    assert (measured.pass_1, measured.pass_k, measured.maj_k, measured.self_ref_k) == (0.5, 0.5, 0.5, 0.5)
    assert measured.greedy == 0.75
    assert [(b.problems, b.majority, b.refined) for b in measured.bins] == [
        (2, 0.0, 1),
        (0, 0.0, 0),
        (0, 0.0, 0),
        (0, 0.0, 0),
        (2, 2.0, 1),
    ]
    assert "| model | 0.750 | 0.500 | 0.500 | 0.500 | 0.500 | +0.000 | 1 of 2 (maj 0) |" in as_markdown(
        {"model": measured}
    )


def test_a_candidate_is_split_at_its_think_block() -> None:
    full = candidate(3, "<think>\n2 products.\n</think>\n\n1*1 = 1\n\\boxed{5}")
    assert (full.index, full.summary, full.answer) == (3, "1*1 = 1\n\\boxed{5}", "5")
    unclosed = candidate(0, "<think>\n\\boxed{5}")
    assert (unclosed.summary, unclosed.answer) == (None, None)
