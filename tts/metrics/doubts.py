"""Doubts about what was read: responses that state two answers, answers that lie between two classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tts.answers import find_answer
from tts.answers.asked import fast_equal
from tts.answers.expectation import expected
from tts.metrics.grading import Graded
from tts.metrics.sampled_curves import cluster_lists


class Contradiction(NamedTuple):
    """A response that states more than one answer: the one that counts, and those that differ from it.

    `candidate` is its place among the candidates of its problem.
    """

    problem: str
    candidate: int
    answer: str
    rivals: tuple[str, ...]


class Between(NamedTuple):
    """Two answers of one problem's candidates of which a vote cannot be sure.

    `kind` is that of `tts.vocabulary.clusters.Conflict`.
    """

    problem: str
    kind: str
    a: str
    b: str


def contradictions(rows: Sequence[Graded]) -> list[Contradiction]:
    """Candidates whose marks and sayings give answers that are not equal, in the order of the rows.

    Statements are those of `tts.answers.find_answer`; where another extractor read another answer, nothing is said.
    """
    found: dict[tuple[str, int], Contradiction] = {}
    for row in rows:
        problem = row.outcome.problem
        asked = expected(problem.text)
        for one in row.outcome.candidates:
            if one.answer is None:
                continue
            extraction = find_answer(one.text)
            if extraction.found is None or not extraction.contradicted or extraction.found.answer != one.answer:
                continue
            others = dict.fromkeys(rival.answer for rival in extraction.rivals)
            rivals = tuple(other for other in others if fast_equal(one.answer, other, asked) is False)
            if rivals:
                found.setdefault((problem.id, one.index), Contradiction(problem.id, one.index, one.answer, rivals))
    return list(found.values())


def between_classes(rows: Sequence[Graded]) -> list[Between]:
    """Pairs of candidates' answers that are equal but in two classes, or whose comparison came to a limit."""
    sets = [[one.answer if one.ok else None for one in row.outcome.candidates] for row in rows]
    classes = cluster_lists(sets, [row.outcome.problem.text for row in rows])
    told = [
        Between(row.outcome.problem.id, conflict.kind, conflict.a, conflict.b)
        for row, one in zip(rows, classes, strict=True)
        for conflict in one.conflicts
    ]
    return list(dict.fromkeys(told))
