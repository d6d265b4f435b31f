"""What an answer may be read as: a number, a word, a series of readings, or an expression left unread."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple


class Huge(NamedTuple):
    """A decimal too long for arithmetic: equal only to itself."""

    negative: bool
    digits: str
    exponent: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number, exact."""

    value: Fraction | Huge
    text: str = field(compare=False)
    decimal: bool = False
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """An answer in words."""

    word: str
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression left unread."""

    text: str


@dataclass(frozen=True, slots=True)
class Named:
    """A value with the name that it was given, as in `x = 3`."""

    name: str
    value: "Reading"
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Series:
    """Readings between brackets, or side by side; `number` is the other reading of `1,22`: a decimal comma.

    Between braces and without brackets their order says nothing, unless dots say how they go on.
    """

    items: "tuple[Reading, ...]"
    brackets: str
    text: str = field(compare=False)
    unordered: bool = False
    number: Number | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A value with its unit, in the unit's canonical text; `lone` where that is a letter that may be a symbol."""

    value: "Reading"
    unit: str
    text: str = field(compare=False)
    lone: bool = False


@dataclass(frozen=True, slots=True)
class Based:
    """A whole number written in the digits of a base."""

    digits: str
    base: int
    text: str = field(compare=False)

    @property
    def value(self) -> int:
        """The number that the digits stand for."""
        return int(self.digits, self.base)


Reading = Number | Word | Expression | Named | Series | Measured | Based
