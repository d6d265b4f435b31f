"""Graders for what a mathematical comparison of two answers cannot say: tolerances, lists, letters.

Decision: all that a grader knows is the gold answer, so a gold answer that allows for an error says so in its text:
`4.2 ± 0.1`, or `4.2 ± 1%` of the value. Data sets are written that way by their tasks.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from tts.answers.asked import read_as
from tts.answers.expectation import expected
from tts.answers.extraction import bare, choice
from tts.answers.kinds import Huge, Measured, Number, Reading, Word
from tts.answers.reading import read
from tts.answers.shared import hold

_TOLERANCE = re.compile(r"\s*(?:\u00b1|\+-|\+/-)\s*(?P<size>\d*\.?\d+(?:[eE][-+]?\d{1,3})?)\s*(?P<percent>%?)\s*$")
_LETTER = re.compile(r"\W*(?:\\text(?:bf|rm)?)?\W*(?:option|choice|answer)?\W*([A-Z])\W*", re.IGNORECASE)
_WORDS = re.compile(r"\\(?:text|mbox|mathrm)\s*\{\s*,?\s*(?:and|or)\s*\}|(?<![\w\\])(?:and|or)(?!\w)")
_PLUS_MINUS = re.compile(r"\\pm(?![a-zA-Z])|\u00b1")
_MOST_ITEMS = 40  # of a list; every pair is compared


class Gold(NamedTuple):
    """A gold answer and the error it allows for, of the value itself where `relative`."""

    answer: str
    tolerance: Fraction | None
    relative: bool = False

    def allows(self, value: Fraction, answer: Fraction) -> bool:
        """The answer is no further from the value than the tolerance."""
        scale = abs(value) if self.relative else 1
        return abs(value - answer) <= (self.tolerance or 0) * scale


def read_gold(text: str) -> Gold:
    """The parts of `ANSWER ± TOLERANCE`; without one, the answer alone."""
    match = _TOLERANCE.search(text)
    if match is None or not text[: match.start()].strip():
        return Gold(text, None)
    size = Fraction(match["size"]) / (100 if match["percent"] else 1)
    return Gold(text[: match.start()], size, bool(match["percent"]))


class ChoiceGrader:
    """Implements `tts.Grader` for letters of a multiple choice: `(B)`, `b.`, `B`, the text of that option are one."""

    async def grade(self, pairs: Sequence[tuple[str, str | None]], problems: Sequence[str] | None = None) -> list[bool]:
        """One verdict per (gold letter, answer); several letters count as a set."""
        texts = problems if problems is not None else [""] * len(pairs)
        return [
            answer is not None and _letters(gold, text) == _letters(answer, text) is not None
            for (gold, answer), text in zip(pairs, texts, strict=True)
        ]

    async def aclose(self) -> None:
        """Nothing is held."""


def _letters(text: str, problem: str) -> str | None:
    """The letters of an answer, or the one whose option the answer gives in words."""
    match = _LETTER.fullmatch(bare(text)[:100])
    if match:
        return match[1].upper()
    found = choice(text[:1000])
    if found is not None:
        return found
    meant = read_as(text, expected(problem)) if problem else None
    return meant.word.upper() if isinstance(meant, Word) and len(meant.word) == 1 else None


class NumericGrader:
    """Implements `tts.Grader` for numbers: within the tolerance that the gold answer names, else equal."""

    def __init__(self) -> None:
        self._held = hold(self)

    async def grade(self, pairs: Sequence[tuple[str, str | None]], problems: Sequence[str] | None = None) -> list[bool]:
        """One verdict per (gold, answer); an expression that is no plain number must equal the gold answer."""
        golds = [read_gold(gold) for gold, _ in pairs]
        equal = await self._held.answers.grade_many(
            [(gold.answer, answer) for gold, (_, answer) in zip(golds, pairs, strict=True)],
            None if problems is None else [expected(problem) for problem in problems],
        )
        return [same or _within(gold, answer) for same, gold, (_, answer) in zip(equal, golds, pairs, strict=True)]

    async def aclose(self) -> None:
        """End the worker processes, unless somebody else needs them."""
        await asyncio.to_thread(self._held.release)


def _without_unit(reading: Reading) -> Reading:
    return reading.value if isinstance(reading, Measured) else reading


def _within(gold: Gold, answer: str | None) -> bool:
    if gold.tolerance is None or answer is None:
        return False
    value, given = _without_unit(read(gold.answer)), _without_unit(read(answer))
    if not isinstance(value, Number) or not isinstance(given, Number):
        return False
    if isinstance(value.value, Huge) or isinstance(given.value, Huge):
        return False
    if value.percent == given.percent:
        return gold.allows(value.value, given.value)
    # A percent sign on one side only: the number with it, or what it stands for.
    share = given.value / 100 if given.percent else given.value * 100
    return gold.allows(value.value, given.value) or gold.allows(value.value, share)


class AnswersGrader:
    r"""Implements `tts.Grader` for problems with several final answers, as OlympiadBench has them.

    The items of a list, between commas, semicolons or "and", must match one to one in any order; `\pm` stands for two.
    A tolerance of the gold answer holds for each item.
    """

    def __init__(self) -> None:
        self._numeric = NumericGrader()

    async def grade(self, pairs: Sequence[tuple[str, str | None]], problems: Sequence[str] | None = None) -> list[bool]:
        """One verdict per (gold, answer)."""
        verdicts = await self._numeric.grade(pairs, problems)
        lists = {index: _lists(gold, answer) for index, (gold, answer) in enumerate(pairs) if not verdicts[index]}
        compared = [
            (gold, answer)
            for golds, answers in lists.values()
            if 1 < len(golds) == len(answers) <= _MOST_ITEMS
            for gold in golds
            for answer in answers
        ]
        known = dict(zip(compared, await self._numeric.grade(compared), strict=True))
        for index, (golds, answers) in lists.items():
            if 1 < len(golds) == len(answers) <= _MOST_ITEMS:
                verdicts[index] = _matched([[known[gold, answer] for answer in answers] for gold in golds])
        return verdicts

    async def aclose(self) -> None:
        """End the worker processes."""
        await self._numeric.aclose()


def _lists(gold: str, answer: str | None) -> tuple[list[str], list[str]]:
    parts = read_gold(gold)
    tail = gold[len(parts.answer) :]
    return [item + tail for item in items_of(parts.answer)], [] if answer is None else items_of(answer)


def items_of(text: str) -> list[str]:
    r"""The items of a list without its `$`, braces around the whole, and words; `\pm` gives both signs."""
    plain = _WORDS.sub(",", bare(text).replace("$", " ")).strip()
    if plain.startswith(r"\{") and plain.endswith(r"\}"):
        plain = plain[2:-2]
    items = [item for item in map(str.strip, _split(plain)) if item]
    return [one for item in items for one in _both_signs(item)]


def _split(text: str) -> list[str]:
    """Parts between commas and semicolons outside brackets; brackets need not be of one kind, as in `[0, 1)`."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign in ",;" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _both_signs(item: str) -> list[str]:
    if len(_PLUS_MINUS.findall(item)) != 1:
        return [item]
    return [_PLUS_MINUS.sub(sign, item) for sign in "+-"]


def _matched(equal: list[list[bool]]) -> bool:
    """Every row has a column of its own (augmenting paths)."""
    owner: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column, same in enumerate(equal[row]):
            if same and column not in tried:
                tried.add(column)
                if column not in owner or place(owner[column], tried):
                    owner[column] = row
                    return True
        return False

    return all(place(row, set()) for row in range(len(equal)))
