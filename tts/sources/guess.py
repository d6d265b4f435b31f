"""What the columns of a table seem to be, from what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from statistics import mean
from typing import Any

from tts.rows.cells import list_of
from tts.rows.columns import DEFAULT_COLUMNS, choose
from tts.rows.files import Row
from tts.rows.held import held, is_messages, is_sample
from tts.vocabulary.errors import TaskError

SEEN = 500  # rows that are looked at
_ASKS = ("input", "query", "instruction", "problem_text", "question_text", "task", "full_prompt", "origin_prompt")
_ANSWERS = ("label", "gt", "truth", "reference", "expected", "correct", "key", "target_answer", "reference_answer")
_NUMBER = re.compile(r"[ _.\-]?\[?\d+\]?$")
_SHORT = 40  # characters of an answer at most, in the mean


class Guess:
    """The columns by role, as far as the rows tell; `several` is how many responses a problem has."""

    def __init__(self, rows: Iterable[Row], columns: Mapping[str, str]) -> None:
        seen = list(islice((row for row in rows if isinstance(row.value, Mapping)), SEEN))
        self._rows, self._values = seen, _columns(seen)
        self.columns: dict[str, str] = dict(columns)
        for role in ("id", "problem", "answer"):
            if role not in self.columns and (found := self._known(role)) is not None:
                self.columns[role] = found
        self._guess("problem", self._question())
        self._guess("candidates", self._responses())
        self._guess("answer", self._gold())
        self.several: int = self._several()

    @property
    def names(self) -> list[str]:
        """All columns that were seen."""
        return list(self._values)

    @property
    def missing(self) -> list[str]:
        """The roles without which there is nothing to compare."""
        return [role for role in ("problem", "candidates") if role not in self.columns]

    def _guess(self, role: str, name: str | None) -> None:
        if name is not None:
            self.columns.setdefault(role, name)

    def _known(self, role: str) -> str | None:
        try:
            found = choose(self._rows[0], role, {}) if self._rows else None
        except TaskError:
            return None
        return found if found not in self.columns.values() else None

    def _left(self) -> list[str]:
        taken = set(self.columns.values())
        return [name for name in self._values if name not in taken and name.lower() not in _gold_names()]

    def _question(self) -> str | None:
        """A column of a usual name, else the longest texts that occur again, else the longest."""
        texts = [name for name in self._left() if self._are_texts(name)]
        if (usual := next((name for name in texts if name.lower() in _ASKS), None)) is not None:
            return usual
        again = [name for name in texts if 1 < len(set(map(repr, self._values[name]))) < len(self._rows)]
        return max(again or texts, key=self._length, default=None)

    def _responses(self) -> str | None:
        """The candidates as rows are read, else the longest lists of texts, else the longest texts that differ."""
        try:
            there = held(self._rows[0], {}) if self._rows else None
        except TaskError:
            there = None
        if there is not None and there.shape == "list":
            return _NUMBER.sub("", there.columns[0]) if len(there.columns) > 1 else there.columns[0]
        lists = [name for name in self._left() if self._are_lists(name)]
        if lists:
            return max(lists, key=self._length)
        if there is not None:
            return there.columns[0]
        texts = [name for name in self._left() if self._are_texts(name)]
        differing = [name for name in texts if self._differs(name)]
        return max(differing or ([] if self._again() else texts), key=self._length, default=None)

    def _gold(self) -> str | None:
        """A usual name, else the shortest column that is the same in all rows of a problem."""
        left = [name for name in self._left() if not self._differs(name)]
        if (usual := next((name for name in left if name.lower() in _ANSWERS), None)) is not None:
            return usual
        short = [name for name in left if self._are_texts(name) and self._length(name) <= _SHORT]
        return min(short, key=self._length, default=None) if self._again() else None

    def _several(self) -> int:
        name = self.columns.get("candidates")
        if name is None or not self._rows:
            return 0
        if name not in self._values:  # numbered columns
            return sum(_NUMBER.sub("", column) == name for column in self._values)
        if (items := list_of(self._values[name][0])) is not None and not is_messages(items):
            return len(items)
        return max(map(len, self._groups().values()), default=1)

    def _groups(self) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = {}
        problem = self.columns.get("problem")
        for place, value in enumerate(self._values.get(problem or "", [])):
            groups.setdefault(repr(value), []).append(place)
        return groups

    def _again(self) -> bool:
        return any(len(places) > 1 for places in self._groups().values())

    def _differs(self, name: str) -> bool:
        values = self._values[name]
        return any(len({repr(values[place]) for place in places}) > 1 for places in self._groups().values())

    def _are_texts(self, name: str) -> bool:
        there = [value for value in self._values[name] if value is not None]
        one = all(is_sample(value) and (is_messages(value) or list_of(value) is None) for value in there)
        return bool(there) and one

    def _are_lists(self, name: str) -> bool:
        lists = [list_of(value) for value in self._values[name] if value is not None]
        return bool(lists) and all(one and not is_messages(one) and all(map(is_sample, one)) for one in lists)

    def _length(self, name: str) -> float:
        return mean(len(str(value)) for value in self._values[name] if value is not None)


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row.value if isinstance(name, str))
    return {name: [row.value.get(name) for row in rows] for name in names}


def _gold_names() -> set[str]:
    return set(DEFAULT_COLUMNS["answer"])


def offer(rows: Iterable[Row], columns: Mapping[str, str]) -> str:
    """The end of a sentence that asks whether a column holds candidates; empty where none looks like it."""
    guess = Guess(rows, columns)
    name = guess.columns.get("candidates")
    if name is None or "candidates" in columns or guess.several < 1:
        return ""
    many = f"{guess.several} texts" if guess.several > 1 else "one text"
    mapped = "".join(f",{role}={guess.columns[role]}" for role in ("problem", "answer") if _unusual(guess, role))
    return f"; the column {name!r} holds {many} of each problem: candidates? then --columns candidates={name}{mapped}"


def _unusual(guess: Guess, role: str) -> bool:
    return role in guess.columns and guess.columns[role].lower() not in DEFAULT_COLUMNS[role]
