r"""What an answer says, as far as that can be read without a computer algebra system.

A reading is a number, a word, a series of readings, a named reading (`x = 5`) or an expression left unread.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from tts.answers._normal import normal_form
from tts.answers.extraction import bare

_EXACT_SIZE = 400  # digits plus exponent up to which numbers are held as fractions
_PLACES = 60  # significant places read after the point; a program may print hundreds
_DEEPEST = 8  # brackets within brackets
SHORT = 1000  # characters up to which an answer is worth remembering


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
    """Readings between brackets; `number` is the other reading of `1,22`: a decimal comma."""

    items: "tuple[Reading, ...]"
    brackets: str
    text: str = field(compare=False)
    unordered: bool = False
    number: Number | None = None


Reading = Number | Word | Expression | Named | Series

_WHOLE = r"(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d{0,2}(?: \d{3})+|\d+)"
_POWER = r"(?:[eE](?P<e>[-+]?\d+)|(?:\\times|\\cdot|\*|x) ?10\^(?:\{(?P<p>[-+]?\d+)\}|(?P<d>\d)))"
_DECIMAL = re.compile(rf"(?P<sign>[-+]?)(?P<whole>{_WHOLE})?(?:\.(?P<part>\d*))?{_POWER}?(?P<pct>%?)")
_COMMA = re.compile(r"(?P<sign>[-+]?)(?P<whole>\d+),(?P<part>\d+)")
_PLAIN = r"[-+]?(?:\d{1,400}(?:\.\d{1,400})?|\.\d{1,400})"
_RATIO = re.compile(
    rf"(?P<sign>[-+]?)(?:(?P<mixed>\d{{1,400}}) ?(?=\\| \d|(?<= )\d))?"
    rf"(?:\\frac\{{(?P<above>{_PLAIN})\}}\{{(?P<below>{_PLAIN})\}}|(?P<over>\d{{1,400}})/(?P<under>\d{{1,400}})"
    rf"|\((?P<pover>{_PLAIN})\)/\(?(?P<punder>{_PLAIN})\)?)(?P<pct>%?)"
)
_CHOICE = re.compile(r"\(?([A-Ea-e])\)?[.:]?")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_PHRASE = re.compile(r"[^\W\d_][^\W\d_][\w'-]+(?: [\w'-]+)*[.!]?")
_MATHEMATICAL = frozenset(
    ("sqrt", "infinity", "infty", "inf", "sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "max", "min", "det")
)
_BRACKETS = {"(": ")]", "[": ")]"}
EQUALS = re.compile(r"(?<![<>!=\\:])=(?!=)")
_OPERATOR = re.compile(r"[-+*/^<>!%]|\\(?:frac|cdot|times|sqrt|le|ge|ne|in|pm|div|binom|sum|int|cup|cap)(?![a-zA-Z])")
_ARITHMETIC = re.compile(r"\\(?:frac|cdot|times|sqrt|pi|div)(?![a-zA-Z])")
_LETTER = re.compile(r"(?<!\\)(?<![a-zA-Z])[a-zA-Z]")


def _canonical(sign: str, whole: str, part: str, exponent: int) -> Fraction | Huge | None:
    digits = (whole + part).lstrip("0")
    kept = digits[: len(whole.lstrip("0")) + _PLACES] if part else digits
    stripped = kept.rstrip("0")
    shift = exponent - len(part) + len(digits) - len(stripped)
    if not stripped:
        return Fraction(0)
    if len(stripped) + abs(shift) > _EXACT_SIZE:
        return Huge(sign == "-", stripped, str(shift))
    mantissa = int(sign + stripped)
    return Fraction(mantissa * 10**shift) if shift >= 0 else Fraction(mantissa, 10**-shift)


def _decimal(text: str) -> Number | None:
    match = _DECIMAL.fullmatch(text)
    if match is None or not (match["whole"] or match["part"]):
        return None
    power = match["e"] or match["p"] or match["d"] or "0"
    if len(power) > 18:
        return None
    whole = (match["whole"] or "").replace(",", "").replace(" ", "")
    value = _canonical(match["sign"], whole, match["part"] or "", int(power))
    if value is None:
        return None
    return Number(value, text, decimal="." in text or bool(match["e"]), percent=bool(match["pct"]))


def _ratio(text: str) -> Number | None:
    match = _RATIO.fullmatch(text)
    if match is None:
        return None
    above = Fraction(match["above"] or match["over"] or match["pover"])
    below = Fraction(match["below"] or match["under"] or match["punder"])
    if below == 0:
        return None
    value = above / below
    if match["mixed"]:
        if not 0 <= value < 1:
            return None
        value += int(match["mixed"])
    return Number(-value if match["sign"] == "-" else value, text, percent=bool(match["pct"]))


def _word(text: str) -> Word | None:
    choice = _CHOICE.fullmatch(text)
    if choice is not None and (choice[1].isupper() or len(text) == 1):
        return Word(choice[1].casefold(), text)
    inside = _TEXT.fullmatch(text)
    if inside is not None:
        return _word(inside[1].strip()) or Word(inside[1].strip().casefold().rstrip("."), text)
    if _PHRASE.fullmatch(text) and text.casefold() not in _MATHEMATICAL:
        return Word(text.casefold().rstrip("."), text)
    return None


def _split(text: str, separators: str) -> list[str]:
    """Parts between top-level separators; one part when brackets do not pair up."""
    if not any(sign in text for sign in separators):
        return [text]
    parts, depth, start = [], 0, 0
    for index, sign in enumerate(text):
        if sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif depth == 0 and sign in separators:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return parts if depth == 0 and all(parts) else [text]


def _bracketed(text: str) -> tuple[str, str] | None:
    """Brackets and content when one pair spans the whole text."""
    if text.startswith(r"\{") and text.endswith(r"\}"):
        opening, content, closing = "{", text[2:-2], "}"
    elif text[:1] == "{" and text[-1:] == "}":
        opening, content, closing = "", text[1:-1], ""
    elif text[:1] in _BRACKETS and text[-1:] in _BRACKETS[text[0]]:
        opening, content, closing = text[0], text[1:-1], text[-1]
    else:
        return None
    depth = 0
    for sign in content:
        depth += (sign in "([{") - (sign in ")]}")
        if depth < 0:
            return None
    return (opening + closing, content) if depth == 0 else None


def _series(text: str, depth: int) -> Reading | None:
    bracketed = _bracketed(text)
    brackets, content = bracketed or ("", text)
    if bracketed is not None and not content.strip():
        return None
    separator = ";" if len(_split(content, ";")) > 1 else ","
    parts = _split(content, separator)
    if len(parts) == 1 and brackets != "{}":
        return _read(content.strip(), depth + 1) if bracketed else None
    items = tuple(_read(part, depth + 1) for part in parts)
    names = {item.name for item in items if isinstance(item, Named)}
    all_tuples = all(isinstance(item, Series) for item in items)
    one_name = len(names) == 1 and all(isinstance(item, Named) for item in items)
    unordered = brackets == "{}" or (brackets == "" and (separator == ";" or all_tuples or one_name))
    comma = _COMMA.fullmatch(text)
    number = None
    if comma is not None:
        value = _canonical(comma["sign"], comma["whole"], comma["part"], 0)
        number = Number(value, text, decimal=True) if value is not None else None
    return Series(items, brackets, text, unordered, number)


def _sides(text: str) -> list[str]:
    """What stands between top-level signs of equality."""
    ends = [match.start() for match in EQUALS.finditer(text)]
    depths = [0, *accumulate((sign in "([{") - (sign in ")]}") for sign in text)]
    ends = [-1, *(end for end in ends if depths[end] == 0), len(text)]
    return [text[start + 1 : end].strip() for start, end in pairwise(ends)]


def _numeric(side: str) -> bool:
    return _LETTER.search(side) is None and "\\" not in _ARITHMETIC.sub("", side)


def _equation(text: str, depth: int) -> Reading | None:
    r"""`x = 5` by its name, `9 - 5 = 4` by its right-hand side, `x \approx 5` likewise; other equations unread."""
    exact, *rounded = re.split(r"\\approx(?![a-zA-Z])", text)
    if rounded:
        lone_name = not EQUALS.search(exact) and not _OPERATOR.search(exact) and _LETTER.search(exact)
        return _read((f"{exact}={rounded[-1]}" if lone_name else exact).strip(), depth + 1)
    if len(_split(text, ",;")) > 1:
        return None
    sides = _sides(text)
    if len(sides) < 2 or not all(sides):
        return None
    if _numeric(sides[0]) and _OPERATOR.search(sides[-1]) is None and _LETTER.search(sides[-1]):
        sides.reverse()
    if all(map(_numeric, sides)):
        return _read(sides[-1], depth + 1)
    if _OPERATOR.search(sides[0]) is None and not _numeric(sides[0]):
        return Named(re.sub(r"[\s{}()]", "", sides[0]), _read(sides[-1], depth + 1), text)
    return Expression(text)


def _read(text: str, depth: int) -> Reading:
    number = _decimal(text) or _ratio(text)
    if number is not None:
        return number
    reading: Reading | None = _word(text)
    if reading is None and depth < _DEEPEST:
        if "=" in text or "\\approx" in text:
            reading = _equation(text, depth)
        if reading is None and ("," in text or ";" in text or text[:1] in "([{" or text.startswith(r"\{")):
            reading = _series(text, depth)
    return reading if reading is not None else Expression(text)


def _read_afresh(answer: str) -> Reading:
    return _read(normal_form(bare(answer)), 0)


_read_cached = lru_cache(maxsize=65536)(_read_afresh)


def read(answer: str) -> Reading:
    """Reading of an answer, from the bounded parse cache when it is short; never raises."""
    return _read_cached(answer) if len(answer) <= SHORT else _read_afresh(answer)
