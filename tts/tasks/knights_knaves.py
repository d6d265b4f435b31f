"""Puzzles of 4 people, each a knight or a knave (Xie et al. 2024, arXiv 2410.23123): who of them tells the truth.

Decisions:
* An answer is an assignment of a kind to each name. It is written in one form whatever words a response uses,
  `knave Jack; knight Amelia`, so that votes and grades compare assignments.
* As multiple choice the other options are drawn from the remaining assignments by a seed that is the puzzle's own
  text, so every copy of the data set has the same options.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import ClassVar

from pydantic import Field

from tts.rows.files import Row
from tts.tasks._pinned import Benchmark, Pin, text_of
from tts.vocabulary.record import digest
from tts.vocabulary.records import Example, Problem

Assignment = dict[str, str]
_KINDS = ("knave", "knight")
_STATED = re.compile(
    r"\b(?P<name>[A-Z][\w'-]*)\s*(?:\bis\b|[=:(\u2192\u2013\u2014]|-+>?)\s*(?:an?\s+)?"
    r"(?P<kind>[Kk]night|[Kk]nave|KNIGHT|KNAVE)\b"
)
_FORM = r"Put who is what in the box, in this form: \boxed{NAME is a knight; NAME is a knave}, with every name."
_LETTER_FORM = r"Put the letter of the right option in the box."
_NO_NAMES = frozenset(("He", "She", "It", "This", "That", "One", "Who", "Each", "Everyone", "Someone", "Neither"))
_MARKUP = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}|\\[,;:! ]|[*$~]|\\\\")


def canonical(kinds: Mapping[str, str]) -> str:
    """An assignment as the text that votes and grades compare."""
    return "; ".join(sorted(f"{kind} {name}" for name, kind in kinds.items()))


def assignments(text: str) -> str | None:
    """The assignment that a response ends with, in canonical form: in the box, else the last one said of each name."""
    from tts.answers.extraction import boxed

    found = stated(boxed(text) or "") or stated(text)
    return canonical(found) if found else None


def stated(text: str) -> Assignment:
    """The last `NAME is a knight`, `NAME: knave` or the like of each name."""
    plain = _MARKUP.sub(lambda match: f" {match[1] or ''} ", text)
    found: Assignment = {}
    for match in _STATED.finditer(plain):
        if match["name"] not in _NO_NAMES:
            found[match["name"]] = match["kind"].casefold()
    return found


class KnightsKnaves(Benchmark):
    """100 puzzles of four people, answered freely: the kind of each."""

    name: ClassVar[str] = "knights_knaves"
    pin: ClassVar[Pin] = Pin(
        hub="K-and-K/knights-and-knaves",
        split="4ppl",
        revision="2f68547989981b1af37cb3dde5fdefa847aa8619",
        checksums={100: "513591b5e1114f7e"},
        config="test",
        files=("knights_knaves", "knights_knaves_4ppl", "people4_num100"),
    )

    grader: str = "assignments"
    """What compares an answer with the gold answer: a grader's name, or a function of yours as `file.py:function`. By
    default who is a knight and who a knave.
    """

    extractor: str = "assignments"
    """What finds the final answer in a candidate's visible text: an extractor's name. By default who is said to be a
    knight and who a knave.
    """

    def example(self, row: Row, position: int) -> Example:
        """The hub's columns (`quiz`, `names`, `solution`) or those of a normalised copy (`problem`)."""
        puzzle, kinds = _puzzle(row)
        given = row.value.get("id", row.value.get("index"))
        name = f"kk-4ppl-{position}" if given is None else str(given)
        problem = Problem(id=name, prompt=f"{puzzle}\n\n{_FORM}", metadata={"names": list(kinds)})
        return Example(problem=problem, answer=canonical(kinds))


class KnightsKnavesChoice(KnightsKnaves):
    """The same puzzles as multiple choice: one of several assignments is right."""

    name: ClassVar[str] = "knights_knaves_choice"

    grader: str = "choice"
    """What compares an answer with the gold answer: a grader's name, or a function of yours as `file.py:function`. By
    default the letter of the option.
    """

    extractor: str = "choice"
    """What finds the final answer in a candidate's visible text: an extractor's name. By default the letter that is
    chosen.
    """

    options: int = Field(4, ge=2, le=10)
    """How many assignments a puzzle offers, one of them right; 2 to 10. By default four (our choice: the usual number
    of a multiple choice).
    """

    def examples(self) -> Iterator[Example]:
        """The puzzles with lettered options; the answer is a letter."""
        for example in super().examples():
            yield _as_choice(example, self.options)


def _as_choice(example: Example, count: int) -> Example:
    problem, kinds = example.problem, _read(example.answer or "")
    puzzle = problem.text.removesuffix(_FORM).rstrip()
    named = {name: kinds[name] for name in problem.metadata["names"]}
    shown = _options(puzzle, named, count)
    lettered = list(zip("ABCDEFGHIJ", shown, strict=False))
    listed = "\n".join(f"({letter}) {_sentence(one)}" for letter, one in lettered)
    [answer] = [letter for letter, one in lettered if one == named]
    prompt = f"{puzzle}\n\n{listed}\n\n{_LETTER_FORM}"
    return Example(problem=problem.model_copy(update={"prompt": prompt}), answer=answer)


def _puzzle(row: Row) -> tuple[str, Assignment]:
    puzzle, names, solution = (text_of(row, *columns) for columns in (("quiz", "problem"), ("names",), ("solution",)))
    if not (_is_list(names) and _is_list(solution) and len(names) == len(solution)):
        raise row.error("'names' and 'solution' must be lists of one length: a name and whether it is a knight")
    return str(puzzle), {str(name): _KINDS[bool(true)] for name, true in zip(names, solution, strict=True)}


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _options(puzzle: str, kinds: Assignment, count: int) -> list[Assignment]:
    others = [dict(zip(kinds, chosen, strict=True)) for chosen in product(_KINDS, repeat=len(kinds))]
    others.remove(kinds)
    rng = random.Random(digest("knights_knaves", puzzle))
    shown = [kinds, *rng.sample(others, min(count - 1, len(others)))]
    rng.shuffle(shown)
    return shown


def _sentence(kinds: Assignment) -> str:
    parts = [f"{name} is a {kind}" for name, kind in kinds.items()]
    return f"{', '.join(parts[:-1])} and {parts[-1]}."


class AssignmentsGrader:
    """Implements `tts.Grader`: every name has its kind, no name is missing and none is added."""

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """One verdict per (gold, answer), both in whatever words."""
        return [answer is not None and _read(gold) == _read(answer) for gold, answer in pairs]

    async def aclose(self) -> None:
        """Nothing is held."""


def _read(text: str) -> Assignment:
    parts = [part.split(maxsplit=1) for part in text.split(";")]
    if all(len(part) == 2 and part[0] in _KINDS for part in parts):
        return {name.strip(): kind for kind, name in parts}
    return stated(text)
