"""Duplicate problems and graders that disagree: what a reviewer asks first."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tts._sync import run_sync
from tts.answers import Opinions, second_opinions
from tts.eval._grading import Graded

_WORDS = re.compile(r"\w+|[^\w\s]")


class Duplicate(NamedTuple):
    """Problems of one text, by id in their order, with their gold answers."""

    problems: tuple[str, ...]
    answers: tuple[str | None, ...]


class Disagreement(NamedTuple):
    """An answer on which graders contradict each other; `count` candidates and outputs gave it."""

    problem: str
    gold: str
    answer: str
    count: int
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
    """Answers that our grader, Math-Verify alone, the text and the value do not agree on, the most frequent first.

    Each distinct pair of gold answer and answer is asked once, in worker processes; with many expressions this takes
    as long as Math-Verify does, tens of milliseconds for each. Answers of problems without a gold answer are left out.
    """
    said = Counter((row.outcome.problem.id, row.outcome.answer or "", answer) for row, answer in _given(rows))
    pairs = list(dict.fromkeys((gold, answer) for _, gold, answer in said))

    async def ask() -> list[Opinions]:
        return await second_opinions(pairs)

    opinions = dict(zip(pairs, run_sync(ask), strict=True)) if pairs else {}
    found = [
        Disagreement(problem, gold, answer, count, opinions[gold, answer])
        for (problem, gold, answer), count in said.items()
        if opinions[gold, answer].disagree
    ]
    return sorted(found, key=lambda one: (-one.count, one.problem, one.answer))


def _given(rows: Sequence[Graded]) -> Iterator[tuple[Graded, str]]:
    for row in rows:
        results = row.outcome.results.values()
        answers = [c.answer for c in row.outcome.candidates]
        # What was chosen is a candidate's answer and counted with it.
        for result in results:
            if result.decision is not None and result.decision.chosen is None:
                answers += [result.answer, *result.alternatives]
        yield from ((row, answer) for answer in answers if answer is not None and row.outcome.answer is not None)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).casefold()
    return " ".join(_WORDS.findall("".join(sign for sign in letters if not unicodedata.combining(sign))))
