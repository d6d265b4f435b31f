"""Responses that state two answers, answers between two classes."""

from __future__ import annotations

import tts
from tts.answers import extract
from tts.metrics.doubts import between_classes, contradictions
from tts.report import report_data
from tts.report.gather import sections


def compared(*texts: str) -> tts.eval.Comparison:
    candidates = tuple(
        tts.Candidate(index=i, text=text, summary=text, answer=extract(text)) for i, text in enumerate(texts)
    )
    problem = tts.Problem(id="a", prompt="How many are there?")
    return tts.compare(
        [tts.Sampled(tts.CandidateSet(problem=problem, candidates=candidates), "5")],
        strategies=["majority"],
        k=len(texts),
    )


def test_a_response_with_two_answers_is_shown_and_one_that_repeats_itself_is_not() -> None:
    found = compared("The answer is 3.\nWait. The answer is 5.", "The answer is 1/2, \\boxed{0.5}", "\\boxed{5}")
    assert [tuple(one) for one in contradictions(found.rows)] == [("a", 0, "5", ("3",))]
    checks = next(one for one in sections(report_data(found)) if one.name == "checks")
    assert "Responses that state two answers: 1." in checks.text[0]
    assert checks.tables[0].rows == [["a, candidate 0", "5", "3"]]


def test_an_answer_that_equals_two_that_differ_is_shown() -> None:
    found = compared("\\boxed{0.5}", "\\boxed{50\\%}", "\\boxed{50}", "\\boxed{50}")
    assert [tuple(one) for one in between_classes(found.rows)] == [("a", "intransitive", "0.5", "50\\%")]
    checks = next(one for one in sections(report_data(found)) if one.name == "checks")
    assert "Answers of which a vote cannot be sure: 1." in checks.text[0]


def test_nothing_doubtful_is_nothing_to_show() -> None:
    found = compared("\\boxed{5}", "The answer is 5.")
    assert contradictions(found.rows) == []
    assert between_classes(found.rows) == []
