r"""What an answer says, as far as that can be read without a computer algebra system.

A reading is a number, a word, a series of readings, a named reading (`x = 5`) or an expression left unread.
Comparison is three-valued: True, False, or None where only algebra can tell; the caller supplies the algebra.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from tts.answers._extract import bare
from tts.answers._normal import normal_form

Algebra = Callable[[str, str], bool | None]

DECIMALS = 6  # places to which a decimal is compared, Math-Verify's default
_SMALLEST_AGREEMENT = Fraction(1, 1000)  # relative: 0.0000012 is not 0.0000014 although both round to 0.000001
_EXACT_SIZE = 400  # digits plus exponent up to which numbers are held as fractions
_DEEPEST = 8
_ALGEBRAIC_SET = 40  # elements of an unordered series that are matched by algebra


class Huge(NamedTuple):
    """A decimal too long for arithmetic: equal only to itself."""

    negative: bool
    digits: str
    exponent: str


@dataclass(frozen=True, slots=True)
class Number:
    value: Fraction | Huge
    text: str = field(compare=False)
    decimal: bool = False
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    word: str
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression left unread."""

    text: str


@dataclass(frozen=True, slots=True)
class Named:
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
_PHRASE = re.compile(r"[^\W\d_][\w'-]{3,}(?: [\w'-]+)*[.!]?")
_CONSTANTS = frozenset({"sqrt", "infinity", "infty", "theta", "alpha", "beta", "gamma", "delta", "lambda", "sigma", "omega"})
_BRACKETS = {"(": ")]", "[": ")]"}
_EQUALS = re.compile(r"(?<![<>!=\\:])=(?!=)")
_OPERATOR = re.compile(r"[-+*/^<>!%]|\\(?:frac|cdot|times|sqrt|le|ge|ne|in|pm|div|binom|sum|int|cup|cap)(?![a-zA-Z])")
_ARITHMETIC = re.compile(r"\\(?:frac|cdot|times|sqrt|pi|div)(?![a-zA-Z])")
_LETTER = re.compile(r"(?<!\\)(?<![a-zA-Z])[a-zA-Z]")
_ALGEBRAIC = re.compile(r"\\(?:pm|mp|cup|cap|in|le|ge|ne|setminus|begin|mathbb|mid|infty|sum)(?![a-zA-Z])|[<>|]")


def _canonical(sign: str, whole: str, part: str, exponent: int) -> Fraction | Huge | None:
    digits = (whole + part).lstrip("0")
    stripped = digits.rstrip("0")
    shift = exponent - len(part) + len(digits) - len(stripped)
    if not stripped:
        return Fraction(0)
    if len(stripped) + abs(shift) > _EXACT_SIZE:
        return Huge(sign == "-", stripped, str(shift))
    value = Fraction(int(stripped)) * Fraction(10) ** shift
    return -value if sign == "-" else value


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
    if _PHRASE.fullmatch(text) and text.casefold() not in _CONSTANTS:
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


def _numeric(side: str) -> bool:
    return _LETTER.search(side) is None and "\\" not in _ARITHMETIC.sub("", side)


def _equation(text: str, depth: int) -> Reading | None:
    r"""`x = 5` by its name, `9 - 5 = 4` by its right-hand side, `x \approx 5` likewise; other equations unread."""
    exact, *rounded = re.split(r"\\approx(?![a-zA-Z])", text)
    if rounded:
        lone_name = not _EQUALS.search(exact) and not _OPERATOR.search(exact) and _LETTER.search(exact)
        return _read((f"{exact}={rounded[-1]}" if lone_name else exact).strip(), depth + 1)
    if len(_split(text, ",;")) > 1:
        return None
    sides = [side.strip() for side in _EQUALS.split(text)]
    if len(sides) < 2 or not all(sides):
        return None
    if _numeric(sides[0]) and _OPERATOR.search(sides[-1]) is None and _LETTER.search(sides[-1]):
        sides.reverse()
    if all(map(_numeric, sides)):
        return _read(sides[-1], depth + 1)
    if _OPERATOR.search(sides[0]) is None:
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


@lru_cache(maxsize=65536)
def read(answer: str) -> Reading:
    """Reading of an answer; the cache is the fast path's parse cache."""
    return _read(normal_form(bare(answer)), 0)


def _numbers_equal(a: Number, b: Number) -> bool | None:
    if isinstance(a.value, Huge) or isinstance(b.value, Huge):
        return a.value == b.value and a.percent == b.percent
    if _close(a.value, b.value, decimal=a.decimal or b.decimal):
        return True
    if a.percent == b.percent:
        return False
    decimal = a.decimal or b.decimal
    return _close(a.value / (100 if a.percent else 1), b.value / (100 if b.percent else 1), decimal=decimal)


def _close(a: Fraction, b: Fraction, *, decimal: bool) -> bool:
    if a == b:
        return True
    gap = abs(a - b)
    if not decimal or gap > Fraction(1, 10**DECIMALS) or gap > _SMALLEST_AGREEMENT * max(abs(a), abs(b)):
        return False
    return round(a, DECIMALS) == round(b, DECIMALS)


def _same_brackets(a: Series, b: Series) -> bool:
    if a.brackets == b.brackets:
        return True
    if "" in (a.brackets, b.brackets):
        return len(a.items) != 2 or not {a.brackets, b.brackets} & {"[]", "[)", "(]"}
    if "{}" in (a.brackets, b.brackets):
        return False
    return len(a.items) != 2 and {a.brackets, b.brackets} == {"()", "[]"}


def _series_equal(a: Series, b: Series, algebra: Algebra) -> bool | None:
    if a.number is not None and b.number is not None and _numbers_equal(a.number, b.number):
        return True
    if not _same_brackets(a, b):
        return False
    if len(a.items) != len(b.items) and (_ALGEBRAIC.search(a.text) or _ALGEBRAIC.search(b.text)):
        return algebra(a.text, b.text)
    if a.unordered or b.unordered:
        return _unordered_equal(a, b, algebra)
    if len(a.items) != len(b.items):
        return False
    verdicts = [compare(x, y, algebra) for x, y in zip(a.items, b.items, strict=True)]
    return False if False in verdicts else None if None in verdicts else True


def _unordered_equal(a: Series, b: Series, algebra: Algebra) -> bool | None:
    left, right = Counter(a.items), Counter(b.items)
    if "{}" in (a.brackets, b.brackets):
        left, right = Counter(set(a.items)), Counter(set(b.items))
    rest, others = list((left - right).elements()), list((right - left).elements())
    if len(rest) != len(others):
        return False
    return _matched(rest, others, algebra) if len(rest) <= _ALGEBRAIC_SET else False


def _matched(rest: Sequence[Reading], others: list[Reading], algebra: Algebra) -> bool | None:
    unknown = False
    for item in rest:
        verdicts = [compare(item, other, algebra) for other in others]
        if True in verdicts:
            others.pop(verdicts.index(True))
        elif None in verdicts:
            unknown = True
        else:
            return False
    return None if unknown else True


def _named_equal(a: Named, b: Named, algebra: Algebra) -> bool | None:
    if a.name == b.name:
        return compare(a.value, b.value, algebra)
    if isinstance(a.value, Number | Word) and isinstance(b.value, Number | Word):
        return False
    return algebra(a.text, b.text)


def _mixed_equal(a: Reading, b: Reading, algebra: Algebra) -> bool | None:
    """Readings of two kinds."""
    if isinstance(b, Named):
        a, b = b, a
    if isinstance(a, Named):
        relation = isinstance(b, Expression) and _EQUALS.search(b.text)
        return algebra(a.text, b.text) if relation else compare(a.value, b, algebra)
    if isinstance(b, Series):
        a, b = b, a
    if isinstance(a, Series):
        if isinstance(b, Number):
            return a.number is not None and _numbers_equal(a.number, b)
        return False if isinstance(b, Word) else algebra(a.text, b.text)
    if isinstance(a, Expression) and isinstance(b, Expression | Number | Word):
        return _expression_equal(a, b, algebra)
    if isinstance(b, Expression):
        return _expression_equal(b, a, algebra)
    return False  # a number and a word


def _expression_equal(a: Expression, b: Reading, algebra: Algebra) -> bool | None:
    if isinstance(b, Word) and a.text.casefold() == b.word:
        return True
    if _EQUALS.search(a.text) and not _EQUALS.search(b.text):
        return False
    return algebra(a.text, b.text)


def compare(a: Reading, b: Reading, algebra: Algebra) -> bool | None:
    """Whether two readings are equal; `algebra` is asked about pairs of expressions."""
    if a == b:
        return True
    if isinstance(a, Number) and isinstance(b, Number):
        return _numbers_equal(a, b)
    if isinstance(a, Word) and isinstance(b, Word):
        return False
    if isinstance(a, Series) and isinstance(b, Series):
        return _series_equal(a, b, algebra)
    if isinstance(a, Named) and isinstance(b, Named):
        return _named_equal(a, b, algebra)
    if isinstance(a, Expression) and isinstance(b, Expression):
        return _expressions_equal(a, b, algebra)
    return _mixed_equal(a, b, algebra)


def _expressions_equal(a: Expression, b: Expression, algebra: Algebra) -> bool | None:
    if a.text.replace(" ", "") == b.text.replace(" ", ""):
        return True
    if bool(_EQUALS.search(a.text)) != bool(_EQUALS.search(b.text)):
        return False
    return algebra(a.text, b.text)


def _undecided(_a: str, _b: str) -> None:
    return None


def fast_equal(a: str, b: str) -> bool | None:
    """Whether two answers are equal, or None where only algebra can tell; symmetric, in-process, never raises."""
    if a == b:
        return True
    return compare(read(a), read(b), _undecided)
