"""Which kind of answers a source asks for, found out from its first rows, with the reason in words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

from tts.answers import expected
from tts.answers.kinds import Expression, Named, Reading, Series, Word
from tts.answers.reading import read
from tts.answers.written import AnswerKind
from tts.contracts.task import Task
from tts.interop import detect, rows_of_format
from tts.rows.choices import choices_of
from tts.rows.columns import check_columns, choose, gold
from tts.rows.files import Row
from tts.sources.layout import may_be_rows
from tts.sources.opening import Opened, Source, is_file, rows_of
from tts.sources.understood import counted
from tts.vocabulary.errors import TaskError
from tts.vocabulary.records import Example, Problem, Sampled

_LOOKED_AT = 50  # rows
_FEW = 0.2  # words among numbers are words: who reads them as numbers reads the words wrong
_WHAT: dict[AnswerKind, str] = {
    "choice": "options",
    "json": "a JSON value as gold answer",
    "code": "code as gold answer",
    "text": "words as gold answer",
    "math": "a number or a formula as gold answer",
}
_CODE = re.compile(
    r"^\s*(?:def \w+ ?\(|class \w+[:({]|import \w+$|from \w+ import |#include|function \w+ ?\(|fn \w+\(|func \w+\("
    r"|package \w+$|SELECT .+ FROM |(?:public|private|static) .+[{;]$)|```",
    re.MULTILINE,
)
_ASKS_CODE = re.compile(
    r"\b(?:write|implement|complete)\b[^.?!]{0,60}\b(?:function|program|class|code|script)\b", re.IGNORECASE
)
_ASKS_JSON = re.compile(r"\bJSON\b")
_TESTS = frozenset(("entry_point", "canonical_solution", "test_list", "unit_tests"))
_LABEL = re.compile(r"\\(?:text|mathrm|mbox)\s*\{[^{}]*\}")
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_WORDY = 3  # more words than that are no unit
_FORMULA = re.compile(r"[\\^_=+*/<>{}$%]|\d")


class Detected(str):
    """A kind of answers that was found out; `why` says by what."""

    __slots__ = ("why",)

    def __new__(cls, kind: AnswerKind, why: str) -> Self:
        """The kind with its reason."""
        made = super().__new__(cls, kind)
        made.why = why
        return made

    why: str


class _Asked(NamedTuple):
    """What tells of one problem: its text, its gold answer, and whether its row has options, tests, a JSON value."""

    text: str
    gold: str | None
    options: bool = False
    tests: bool = False
    value: bool = False


def kind_of(source: Source, columns: Mapping[str, str] | None = None) -> Detected:
    """The kind of answers that a source asks for: mathematics where nothing speaks for another.

    A source that can be read only once is judged by its first row. Raises nothing for rows that cannot be read: who
    reads them says what is wrong.
    """
    found = list(islice(_asked(source, check_columns(columns)), _LOOKED_AT))
    if not found:
        return Detected("math", "no row says otherwise")
    told = [kind for one in found if (kind := _kind(one)) is not None]
    if not told:
        return _by_question(found)
    counts = Counter(told)
    kind = _settled(counts, len(told))
    return Detected(kind, f"{_WHAT[kind]} in {counts[kind]} of {_counted(found)}")


def _settled(counts: Counter[AnswerKind], rows: int) -> AnswerKind:
    """The most frequent kind; some words among numbers make it text."""
    kind = max(counts, key=lambda one: (counts[one], one))
    return "text" if kind == "math" and counts["text"] > _FEW * rows else kind


def _by_question(found: list[_Asked]) -> Detected:
    """By what the problems say, where none has an answer."""
    kinds: tuple[tuple[AnswerKind, re.Pattern[str]], ...] = (("json", _ASKS_JSON), ("code", _ASKS_CODE))
    for kind, says in kinds:
        asking = sum(says.search(one.text) is not None for one in found)
        if 2 * asking > len(found):
            return Detected(kind, f"{'JSON' if kind == 'json' else kind} is asked for in {asking} of {_counted(found)}")
    offering = sum(bool(expected(one.text).choices) for one in found)
    if 2 * offering > len(found):
        return Detected("choice", f"{_WHAT['choice']} in {offering} of {_counted(found)}")
    return Detected("math", "no gold answer says otherwise")


def _counted(found: list[_Asked]) -> str:
    first = "" if len(found) < _LOOKED_AT else "the first "
    return f"{first}{counted(len(found), 'problem')}"


def _kind(one: _Asked) -> AnswerKind | None:
    if one.options:
        return "choice"
    if one.tests:
        return "code"
    if one.gold is None or not one.gold.strip():
        return None
    text = one.gold.strip()
    if len(text.strip("(). ")) == 1 and text.strip("(). ").isalpha() and expected(one.text).choices:
        return "choice"
    if one.value or _is_json(text, one.text):
        return "json"
    if _CODE.search(text):
        return "code"
    if len(_WORDS.findall(_LABEL.sub("", text))) > _WORDY:
        return "text"
    return "math" if _is_mathematics(read(text)) else "text"


def _is_json(text: str, question: str) -> bool:
    """An object, or a list that the problem calls JSON or that holds more than numbers: `[1, 2]` is a vector, too."""
    if text[:1] not in ("{", "["):
        return False
    try:
        value = json.loads(text)
    except ValueError:
        return False
    if isinstance(value, dict):
        return bool(value)  # {} is the empty set, too
    return bool(_ASKS_JSON.search(question)) or any(isinstance(one, dict | str | bool) for one in value)


def _is_mathematics(reading: Reading) -> bool:
    """A number, a formula, a letter; a series where one of its parts is."""
    if isinstance(reading, Word):
        return len(reading.word) == 1
    if isinstance(reading, Series):
        return any(map(_is_mathematics, reading.items))
    if isinstance(reading, Expression | Named):
        words = _WORDS.findall(_LABEL.sub("", reading.text))
        return bool(_FORMULA.search(reading.text)) and len(words) < 2
    return True


def _asked(source: Any, columns: Mapping[str, str]) -> Iterator[_Asked]:
    try:
        for row in _rows(source, columns):
            if (one := _of_row(row, columns)) is not None:
                yield one
    except TaskError:
        return


def _rows(source: Any, columns: Mapping[str, str]) -> Iterator[Row]:
    if isinstance(source, Task):
        return
    if isinstance(source, Opened):
        yield from [row for row in [source.first] if row is not None]
    elif is_file(source) and "candidates" not in columns and (format_ := detect(source)) is not None:
        yield from rows_of_format(format_, Path(source))
    elif may_be_rows(source) or isinstance(source, str | Problem | Example):
        yield from rows_of(source)


def _of_row(row: Row, columns: Mapping[str, str]) -> _Asked | None:
    value = row.value
    if isinstance(value, Sampled):
        return _Asked(value.candidates.problem.text, value.answer)
    if isinstance(value, Example):
        return _Asked(value.problem.text, value.answer)
    if isinstance(value, str | Problem):
        return _Asked(value if isinstance(value, str) else value.text, None)
    if not isinstance(value, Mapping):
        return None
    try:
        problem, answer = (choose(row, role, columns) for role in ("problem", "answer"))
        given = None if answer is None else value[answer]
        known = gold(row, given)
    except TaskError:
        return None
    text = "" if problem is None else str(value[problem])
    tests = any(str(name).lower() in _TESTS for name in value)
    return _Asked(text, known, choices_of(row) is not None, tests, isinstance(given, Mapping))
