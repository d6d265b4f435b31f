"""Grades: the only place where answers meet the gold answer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

from tts.contracts.grader import Grader, grade_answers
from tts.vocabulary.errors import FOREIGN, PluginWarning
from tts.vocabulary.outcome import Outcome


class Graded(NamedTuple):
    """An outcome with its verdicts; all `None` where the problem has no gold answer.

    `candidates` has one verdict per candidate, `decisions` one per output of each strategy: the decision's own, then
    its alternatives. A strategy that failed has one `False`.
    """

    outcome: Outcome
    candidates: tuple[bool, ...] | None
    decisions: dict[str, tuple[bool, ...]] | None


async def grade(outcomes: Sequence[Outcome], grader: Grader) -> list[Graded]:
    """Grade candidates and decisions of all outcomes in one batch.

    A grader that fails leaves everything ungraded, with a warning: the outcomes are worth more than the grades.
    """
    pairs: list[tuple[str, str | None]] = []
    problems: list[str] = []
    for outcome in outcomes:
        if outcome.answer is not None:
            pairs += [(outcome.answer, answer) for answer in _answers(outcome)]
            problems += [outcome.problem.text] * (len(pairs) - len(problems))
    try:
        given = list(await grade_answers(grader, pairs, problems)) if pairs else []
    except FOREIGN as error:  # a grader is a plugin and may raise anything
        warnings.warn(
            f"nothing is graded: the grader raised {type(error).__name__}: {error}", PluginWarning, stacklevel=2
        )
        return [Graded(outcome, None, None) for outcome in outcomes]
    verdicts = iter(given)
    return [_graded(outcome, [next(verdicts) for _ in _answers(outcome)]) if outcome.answer is not None
            else Graded(outcome, None, None) for outcome in outcomes]  # fmt: skip


def _answers(outcome: Outcome) -> list[str | None]:
    answers = [candidate.answer for candidate in outcome.candidates]
    for result in outcome.results.values():
        answers += [result.answer, *result.alternatives]
    return answers


def _graded(outcome: Outcome, verdicts: list[bool]) -> Graded:
    place = len(outcome.candidates)
    decisions = {}
    for label, result in outcome.results.items():
        width = 1 + len(result.alternatives)
        decisions[label] = tuple(verdicts[place : place + width])
        place += width
    return Graded(outcome, tuple(verdicts[: len(outcome.candidates)]), decisions)
