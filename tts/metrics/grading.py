"""Grades: the only place where answers meet the gold answer."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from tts.boundary.raised import did, passes
from tts.bridge.left import end, heard
from tts.bridge.waits import waiting
from tts.contracts.grader import Grader, grade_answers
from tts.vocabulary.errors import PluginWarning, TTSError
from tts.vocabulary.outcome import Outcome

SILENT = 600.0  # seconds in which a grader must have answered some hundreds of pairs
_AT_ONCE = 256


class Graded(NamedTuple):
    """An outcome with its verdicts; all `None` where the problem has no gold answer.

    `candidates` has one verdict per candidate, `decisions` one per output of each strategy: the decision's own, then
    its alternatives. A strategy that failed has one `False`.
    """

    outcome: Outcome
    candidates: tuple[bool, ...] | None
    decisions: dict[str, tuple[bool, ...]] | None


async def grade(outcomes: Sequence[Outcome], grader: Grader, limit: float | None = SILENT) -> list[Graded]:
    """Grade candidates and decisions of all outcomes, some hundreds at a time.

    A grader that fails, or says nothing for so many seconds, leaves everything ungraded, with a warning: the outcomes
    are worth more than the grades.
    """
    pairs: list[tuple[str, str | None]] = []
    problems: list[str] = []
    for outcome in outcomes:
        if outcome.answer is not None:
            pairs += [(outcome.answer, answer) for answer in _answers(outcome)]
            problems += [outcome.problem.text] * (len(pairs) - len(problems))
    try:
        given = [
            verdict
            for start in range(0, len(pairs), _AT_ONCE)
            for verdict in await _asked(
                grader, pairs[start : start + _AT_ONCE], problems[start : start + _AT_ONCE], limit
            )
        ]
    except BaseException as error:  # a grader is a plugin and may raise anything
        if passes(error):
            raise
        reason = error if isinstance(error, TTSError) else f"the grader {did(error)}"
        warnings.warn(f"nothing is graded: {reason}", PluginWarning, stacklevel=2)
        return [Graded(outcome, None, None) for outcome in outcomes]
    verdicts = iter(given)
    return [_graded(outcome, [next(verdicts) for _ in _answers(outcome)]) if outcome.answer is not None
            else Graded(outcome, None, None) for outcome in outcomes]  # fmt: skip


async def _asked(
    grader: Grader, pairs: Sequence[tuple[str, str | None]], problems: Sequence[str], limit: float | None
) -> list[bool]:
    """What a grader says of these pairs; raises `TTSError` where it says nothing in time."""
    name = getattr(grader, "name", None)
    who = f"grader {name!r}" if name else "the grader"

    async def asked() -> list[bool]:
        try:
            return list(await grade_answers(grader, pairs, problems))
        except BaseException as error:  # out of a task some would end the loop
            if passes(error) or isinstance(error, TTSError):
                raise
            raise TTSError(f"{who} {did(error)}") from error

    task = asyncio.create_task(asked())
    task.add_done_callback(heard)
    try:
        with waiting("the grader"):
            await asyncio.wait({task}, timeout=limit)
    finally:
        if not task.done():
            await end([task], "the grader")
    if task.cancelled():
        raise TTSError(f"{who} has answered nothing for {limit or 0:g} s")
    return task.result()


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
