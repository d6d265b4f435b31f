"""What a reviewer asks first: problems that are there twice, graders that disagree."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tts.answers import Opinions, second_opinions
from tts.bridge.loop import run_sync
from tts.metrics.grading import Graded

_WORDS = re.compile(r"\w+|[^\w\s]")


class Duplicate(NamedTuple):
    """Problems of one text, by id in their order, with their gold answers."""

    problems: tuple[str, ...]
    answers: tuple[str | None, ...]


class Disagreement(NamedTuple):
    """An answer on which graders contradict each other; `times` candidates and outputs gave it.

    `opinions.service` is the grade that counted, whatever the task's grader.
    """

    problem: str
    gold: str
    answer: str
    times: int
    opinions: Opinions


def duplicate_problems(rows: Sequence[Graded]) -> list[Duplicate]:
    """Problems that are there under several ids, or with several gold answers.

    Texts are compared without case, spaces and accents. Such problems share their candidates and count as one in every
    interval where they are equal to the letter.
    """
    found: dict[str, dict[tuple[str, str | None], None]] = defaultdict(dict)
    for row in rows:
        outcome = row.outcome
        found[_plain(outcome.problem.text)][outcome.problem.id, outcome.answer] = None
    return [Duplicate(*zip(*same, strict=True)) for same in found.values() if len(same) > 1]


def grader_disagreements(rows: Sequence[Graded]) -> list[Disagreement]:
    """Answers on which the grades, Math-Verify alone, the text and the value do not agree, the most frequent first.

    Each distinct pair of gold answer and answer is asked once, in worker processes; with many expressions this takes
    as long as Math-Verify does, tens of milliseconds for each. Answers of problems without a gold answer are left out.
    """
    said = Counter(_given(rows))
    pairs = list(dict.fromkeys((one.gold, one.answer) for one in said))

    async def ask() -> list[Opinions]:
        return await second_opinions(pairs)

    opinions = dict(zip(pairs, run_sync(ask), strict=True)) if pairs else {}
    found = []
    for one, count in said.items():
        told = opinions[one.gold, one.answer]._replace(service=one.correct)
        if told.disagree:
            found.append(Disagreement(one.problem, one.gold, one.answer, count, told))
    return sorted(found, key=lambda one: (-one.times, one.problem, one.answer))


class _Said(NamedTuple):
    problem: str
    gold: str
    answer: str
    correct: bool


def _given(rows: Sequence[Graded]) -> Iterator[_Said]:
    """Every graded answer of candidates and of what strategies wrote; what was chosen is a candidate's already."""
    for row in rows:
        outcome = row.outcome
        if outcome.answer is None or row.candidates is None or row.decisions is None:
            continue
        told = list(zip((c.answer for c in outcome.candidates), row.candidates, strict=True))
        for label, result in outcome.results.items():
            if result.decision is not None and result.decision.chosen is None:
                told += zip((result.answer, *result.alternatives), row.decisions[label], strict=True)
        for answer, correct in told:
            if answer is not None:
                yield _Said(outcome.problem.id, outcome.answer, answer, correct)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).casefold()
    return " ".join(_WORDS.findall("".join(sign for sign in letters if not unicodedata.combining(sign))))
