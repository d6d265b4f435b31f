"""Which rows are meant: a small language of conditions, such as `finish=error or empty`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tts.vocabulary.errors import ConfigError, did_you_mean

Kind = type[bool] | type[int] | type[str]
_TOKEN = re.compile(r"""\s*(?:(\(|\)|!=|<=|>=|=|<|>|~)|"([^"]*)"|'([^']*)'|([^\s()=<>!~"']+))""")
_SAME: dict[str, Callable[[Any, Any], bool]] = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
_SIGNS: dict[Kind, dict[str, Callable[[Any, Any], bool]]] = {
    bool: _SAME,
    int: _SAME | _ORDER,
    str: _SAME | {"~": lambda a, b: b in a},
}
_YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Test(NamedTuple):
    """One field against one value."""

    field: str
    sign: str
    value: bool | int | str
    kind: Kind

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is so of a row."""
        return _SIGNS[self.kind][self.sign](row[self.field], self.value)


class Not(NamedTuple):
    """What is not so."""

    of: Condition

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is so of a row."""
        return not self.of.holds(row)


class Joined(NamedTuple):
    """Several conditions, all of which are to hold, or one at least."""

    all: bool
    parts: tuple[Condition, ...]

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is so of a row."""
        each = (part.holds(row) for part in self.parts)
        return all(each) if self.all else any(each)


Condition = Test | Not | Joined


class _Word(NamedTuple):
    """A piece of the text; what was quoted is a value, whatever it says."""

    text: str
    kind: str


def condition(text: str, fields: Mapping[str, Kind]) -> Condition:
    """Read conditions over these fields: `FIELD SIGN VALUE`, or a field alone that is true or false.

    They are joined by `and`, `or`, `not` and brackets. The signs are = != for all, < <= > >= for numbers, ~ (contains)
    for text. A value with spaces stands in quotes.
    Raises `ConfigError` that says where it is no condition.
    """
    reader = _Reader(text, fields)
    found = reader.either()
    reader.end()
    return found


class _Reader:
    def __init__(self, text: str, fields: Mapping[str, Kind]) -> None:
        self._text, self._fields, self._at = text, fields, 0
        self._words: list[_Word] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise self._wrong(f"{text[place:].strip()[:20]!r} cannot be read")
            sign, double, single, word = found.groups()
            quoted = double if double is not None else single
            self._words.append(_Word(sign or word or quoted or "", "sign" if sign else "word" if word else "quoted"))
            place = found.end()

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError(f"condition {self._text!r}: {why}; write e.g. 'finish=error or empty' or 'tokens<10'")

    def _next(self) -> _Word | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def _takes(self, text: str, kind: str = "word") -> bool:
        word = self._next()
        if word is not None and word.kind == kind and word.text.lower() == text:
            self._at += 1
            return True
        return False

    def end(self) -> None:
        """Nothing may follow."""
        if (word := self._next()) is not None:
            raise self._wrong(f"{word.text!r} is not expected there")

    def either(self) -> Condition:
        """Conditions joined by `or`."""
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Joined(False, tuple(parts))

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._takes("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Joined(True, tuple(parts))

    def _one(self) -> Condition:
        turned = False
        while self._takes("not"):
            turned = not turned
        if self._takes("(", "sign"):
            found = self.either()
            if not self._takes(")", "sign"):
                raise self._wrong("a ) is missing")
        else:
            found = self._test()
        return Not(found) if turned else found

    def _test(self) -> Condition:
        word = self._next()
        if word is None or word.kind != "word":
            raise self._wrong(f"{word.text!r} stands where a field should" if word else "a field is missing")
        self._at += 1
        field = word.text.lower()
        if field not in self._fields:
            raise self._wrong(f"there is no field {word.text!r}{did_you_mean(field, self._fields)}")
        kind, sign = self._fields[field], self._next()
        if sign is None or sign.kind != "sign" or sign.text in "()":
            if kind is not bool:
                raise self._wrong(f"{field!r} needs a value, such as {field}={'10' if kind is int else 'TEXT'}")
            return Test(field, "=", True, bool)
        self._at += 1
        if sign.text not in _SIGNS[kind]:
            raise self._wrong(f"{field!r} takes {', '.join(_SIGNS[kind])}, not {sign.text!r}")
        return Test(field, sign.text, self._value(field, kind), kind)

    def _value(self, field: str, kind: Kind) -> bool | int | str:
        word = self._next()
        if word is None or word.kind == "sign":
            raise self._wrong(f"a value is missing after {field!r}")
        self._at += 1
        if kind is str:
            return word.text
        try:
            return _YES[word.text.lower()] if kind is bool else int(word.text)
        except (KeyError, ValueError):
            wanted = "true or false" if kind is bool else "a whole number"
            raise self._wrong(f"{field}: {word.text!r} is not {wanted}") from None
