"""Duplicates and disagreements in a comparison."""

from __future__ import annotations

import tts
from tts.eval import duplicate_problems, grader_disagreements


def graded(*rows: tuple[str, str, str, list[str]]) -> tts.eval.Comparison:
    """(id, problem, gold, answers) each."""
    sets = [
        tts.Sampled(
            tts.CandidateSet(
                problem=tts.Problem(id=name, prompt=problem),
                candidates=tuple(tts.Candidate(index=i, text=a, summary=a, answer=a) for i, a in enumerate(answers)),
            ),
            gold,
        )
        for name, problem, gold, answers in rows
    ]
    return tts.compare(sets, strategies=["majority"], k=2)


def test_one_text_under_two_ids_is_a_duplicate() -> None:
    found = graded(
        ("a", "What is  $1+1$?", "2", ["2", "3"]),
        ("b", "what is $1 + 1$ ?", "2", ["2", "2"]),
        ("c", "What is $1-1$?", "0", ["0", "1"]),
        ("d", "Wie groß ist 1?", "1", ["1", "1"]),
        ("e", "wie gross ist 1?", "7", ["1", "1"]),
    )
    assert duplicate_problems(found.rows) == [(("a", "b"), ("2", "2")), (("d", "e"), ("1", "7"))]


def test_groups_of_one_problem_are_no_duplicates() -> None:
    assert duplicate_problems(graded(("a", "1?", "1", ["1", "2", "3", "4"])).rows) == []


def test_disagreements_are_listed_with_how_often_they_were_given() -> None:
    found = graded(("a", "1?", "1/2004!", ["1/2006!", "1/2006!"]), ("b", "2?", "2", ["2", "3"]))
    (one,) = grader_disagreements(found.rows)
    assert (one.problem, one.answer, one.times) == ("a", "1/2006!", 2)
    assert (one.opinions.service, one.opinions.math_verify) == (False, True)
