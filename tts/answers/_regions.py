r"""Sets of numbers on a line: intervals, unions, inequalities, told by the ends of their pieces."""

import re
from itertools import pairwise
from typing import NamedTuple

from tts.answers.kinds import Expression, Named, Number, Reading, Series
from tts.answers.reading import read_normal

_CUP = re.compile(r"\\cup(?![a-zA-Z])")
_RELATION = re.compile(r"\\(?:le|ge|ne)(?![a-zA-Z])|<=|>=|!=|<|>")
_NAME = re.compile(r"[a-zA-Z](?:_\{?\w\}?)?|\\(?:theta|alpha|lambda|mu|phi)")
_MEMBER = re.compile(r"(?:[a-zA-Z]|\\[a-z]+)\\in(?![a-zA-Z])")
_INFINITY = (Expression(r"-\infty"), Expression(r"\infty"))
_INTERVALS = frozenset(("()", "[]", "[)", "(]"))
_MOST = 20  # pieces


class Piece(NamedTuple):
    """From one end to the other, each with whether it belongs to the piece."""

    low: Reading
    low_in: bool
    high: Reading
    high_in: bool


def region(reading: Reading) -> tuple[Piece, ...] | None:
    """The pieces of a set of numbers, or None where the reading is none."""
    if isinstance(reading, Series):
        return _interval(reading) if reading.brackets in _INTERVALS else _either(reading)
    if isinstance(reading, Named):
        return None
    if not isinstance(reading, Expression):
        return None
    text = _MEMBER.sub("", reading.text, count=1)
    if _CUP.search(text):
        parts = _CUP.split(text)
        pieces = [region(read_normal(part.strip())) for part in parts] if len(parts) <= _MOST else [None]
        return tuple(piece for found in pieces for piece in found or ()) if None not in pieces else None
    if text != reading.text:
        return region(read_normal(text.strip()))
    return _inequality(text)


def _interval(series: Series) -> tuple[Piece, ...] | None:
    if len(series.items) != 2:
        return None
    low, high = (_infinite(item) for item in series.items)
    return (Piece(low, series.brackets[0] == "[", high, series.brackets[1] == "]"),)


def _infinite(end: Reading) -> Reading:
    if isinstance(end, Expression) and end.text.lstrip("+") in (r"\infty", r"-\infty"):
        return Expression(end.text.lstrip("+"))
    return end


def _either(series: Series) -> tuple[Piece, ...] | None:
    """Inequalities side by side, where they exclude each other."""
    if not 1 < len(series.items) <= _MOST:
        return None
    found = [region(item) for item in series.items]
    pieces = [piece for one in found for piece in one or ()]
    if None in found or not all(_RELATION.search(getattr(item, "text", "")) for item in series.items):
        return None
    ends = sorted((_place(piece.low), _place(piece.high)) for piece in pieces)
    apart = all(left[1] <= right[0] for left, right in pairwise(ends))
    return tuple(pieces) if apart and all(low < high for low, high in ends) else None


def _place(end: Reading) -> float:
    if isinstance(end, Number) and not isinstance(end.value, tuple):
        return float(end.value)
    return {r"-\infty": -1e308, r"\infty": 1e308}.get(getattr(end, "text", ""), float("nan"))


def _inequality(text: str) -> tuple[Piece, ...] | None:
    relations = [match.group() for match in _RELATION.finditer(text)]
    sides = [side.strip() for side in _RELATION.split(text)]
    names = [place for place, side in enumerate(sides) if _NAME.fullmatch(side)]
    if not 1 <= len(relations) <= 2 or len(names) != 1 or not all(sides):
        return None
    signs = [{r"\le": "<=", r"\ge": ">=", r"\ne": "!="}.get(one, one) for one in relations]
    ends = [read_normal(side) for side in sides]
    if len(signs) == 2:
        if names != [1] or signs[0][0] != signs[1][0] or signs[0][0] == "!":
            return None
        if signs[0][0] == ">":
            ends, signs = ends[::-1], [sign.replace(">", "<") for sign in reversed(signs)]
        return (Piece(_infinite(ends[0]), "=" in signs[0], _infinite(ends[2]), "=" in signs[1]),)
    end, sign = ends[1 - names[0]], signs[0]
    if sign == "!=":
        return Piece(_INFINITY[0], False, end, False), Piece(end, False, _INFINITY[1], False)
    below = (sign[0] == "<") == (names[0] == 0)
    closed = "=" in sign
    return (Piece(_INFINITY[0], False, end, closed) if below else Piece(end, closed, _INFINITY[1], False),)
