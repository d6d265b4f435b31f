r"""What the answer to a problem is to look like, as far as its text says.

Votes and grades compare answers under the same expectation, which hangs on the problem alone: `1,-2` and `-2, 1` are
one where all solutions are asked for, `50` and `50\%` where a percentage is, `0.42 m` and `42` where centimetres are,
`C` and the text of that option where there are options. What a problem does not say is left open, as without it.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from tts.answers._spoken import spoken
from tts.answers._tongues import writes_commas
from tts.answers._units import canonical, known
from tts.answers.kinds import Expression, Huge, Measured, Named, Number, Reading, Series, Word
from tts.answers.reading import based


class Expectation(NamedTuple):
    """What is asked for; a field with its default says that the problem leaves it open."""

    order: Literal["", "free", "kept"] = ""
    """Whether a list may be in any order, or its order is part of the answer."""

    share: Literal["", "percent", "number"] = ""
    """Whether a share is asked in percent, so that 50 means 50%, or as a number, so that 50% means 0.5."""

    unit: str = ""
    """The unit asked for, in its canonical text: values in others that measure the same are converted."""

    base: int = 10
    """The base that digits are asked in."""

    whole: bool = False
    """A whole number is asked for: a point before three digits separates thousands."""

    brackets: Literal["", "tuple", "interval"] = ""
    """Whether `(1,2)` is a pair or all numbers between two."""

    points: bool = False
    """The problem is in a language that writes a comma in decimals: a point before three digits separates thousands."""

    choices: tuple[tuple[str, str], ...] = ()
    """Letters of the options with their texts."""


NOTHING = Expectation()

_FREE = re.compile(
    r"(?i)separated by commas?|comma[- ]separated|in any order|(?:find|list|determine|give|enter|name|state)\s+all\b"
    r"|\ball (?:the )?(?:possible|real|complex|integer|positive|distinct|such)?\s*(?:values|solutions|roots"
    r"|pairs|triples|numbers|integers)\b"
    r"|what are (?:all )?the (?:solutions|roots|zeros|possible values)"
)
_KEPT = re.compile(
    r"(?i)\brespectively\b|\bin (?:that|this|the (?:given|same|correct)|increasing|ascending|decreasing"
    r"|descending|alphabetical"
    r"|chronological) order\b|\bfrom (?:the )?(?:least|smallest|largest|greatest|lowest|highest|shortest"
    r"|longest)\b[^.?]{0,30}\bto\b"
    r"|\bas an? (?:ordered )?(?:pair|triple|tuple|quadruple|sequence)\b|\border(?:ed)? the\b|\barrange\b|\bin"
    r" order\b(?! (?:to|for|that)\b)|\bsort(?:ed)?\b"
)
_TUPLE = re.compile(
    r"(?i)\bordered (?:pair|triple|quadruple|tuple)s?\b|\bcoordinates\b|\bthe (?:point|vector|vertex)\b"
)
_INTERVAL = re.compile(r"(?i)\binterval(?:s| notation)?\b|\binequalit(?:y|ies)\b|\bdomain\b|\brange of\b")
_PERCENT = re.compile(
    r"(?i)\bwhat (?:is the )?percent|\b(?:as|in) (?:an? )?percent|percentage (?:of|is|was|are|did|increase"
    r"|decrease|change)|\bhow many percent"
)
_PLAIN = re.compile(
    r"(?i)\bprobability\b|\bwhat fraction\b|as an? (?:common |simplified |reduced |exact )?(?:fraction|decimal)"
)
_UNIT = re.compile(
    r"(?i)\b(?:how many\s+((?:square |cubic )?[a-z]+)\b|(?:in|number of|to the nearest)\s+((?:square |cubic )?[a-z]+)"
    r"(?= (?:does|do|did|is|are|was"
    r"|were|will|would|per|has|have)\b|[?.,;)]|$))"
)
_BASE = re.compile(
    r"(?i)\b(?:in|to|as) (?:an? )?(?:base[- ]?(?P<base>\d{1,2}|[a-z]+)|(?P<name>binary|octal|hexadecimal|decimal))\b"
)
_BASES = {"binary": 2, "octal": 8, "hexadecimal": 16, "decimal": 10}
_WHOLE = re.compile(
    r"(?i)nearest (?:whole number|integer|dollar)|\b(?:answer|result) (?:is|will be|should be|must be) an?"
    r" (?:positive |non-?negative )?(?:integer|whole number)"
    r"|integer (?:from|between) 0+ (?:to|and) 999|\bfind \$?m ?\+ ?n"
)
_MARKER = re.compile(
    r"(?:\\(?:text|math)(?:bf|rm|it)?\s*\{\s*)?(?:\(([A-J])\)|(?:(?<=\n)|^)["
    r" \t*]*([A-J])[.):])(?:\s*\})?\s*(?:\\[ ,;]|~)?",
    re.MULTILINE,
)
_GAP = re.compile(r"\\q?quad|\\hspace\{[^{}]*\}|\\\\|~|\$")
_LONGEST = 20_000  # characters of a problem that are read
_FEWEST_CHOICES = 2


@lru_cache(maxsize=4096)
def expected(problem: str) -> Expectation:
    """What the text of a problem asks for; never raises."""
    text = unicodedata.normalize("NFKC", problem[-_LONGEST:])
    kept = _KEPT.search(text) is not None
    percent, plain = _PERCENT.search(text) is not None, _PLAIN.search(text) is not None
    return Expectation(
        order="kept" if kept else "free" if _FREE.search(text) else "",
        share="" if percent == plain else "percent" if percent else "number",
        unit=_unit(text),
        base=_base(text),
        whole=_WHOLE.search(text) is not None,
        brackets=_brackets(text),
        points=writes_commas(text),
        choices=_choices(text),
    )


def _brackets(text: str) -> Literal["", "tuple", "interval"]:
    pair, interval = _TUPLE.search(text) is not None, _INTERVAL.search(text) is not None
    return "" if pair == interval else "tuple" if pair else "interval"


def _unit(text: str) -> str:
    found = ""
    for match in _UNIT.finditer(text):
        written = match[1] or match[2]
        unit = canonical(written)
        if unit and known(unit) is not None and len(written) > 2:
            found = unit
    return found


def _base(text: str) -> int:
    found = [*_BASE.finditer(text)]
    if not found:
        return 10
    name = (found[-1]["base"] or found[-1]["name"]).lower()
    base = int(name) if name.isdigit() else _BASES.get(name, spoken(name) or 10)
    return base if 2 <= base <= 36 else 10


def _choices(text: str) -> tuple[tuple[str, str], ...]:
    """Letters from A on with the text up to the next one; the last such list of a problem."""
    found: list[tuple[str, int, int]] = []
    for match in _MARKER.finditer(text):
        letter = match[1] or match[2]
        if letter == "A":
            found = [(letter, match.start(), match.end())]
        elif found and ord(letter) == ord(found[-1][0]) + 1:
            found.append((letter, match.start(), match.end()))
    if len(found) < _FEWEST_CHOICES:
        return ()
    ends = [start for _, start, _ in found[1:]] + [len(text)]
    return tuple((letter, _option(text[begin:end])) for (letter, _, begin), end in zip(found, ends, strict=True))


def _option(text: str) -> str:
    return " ".join(_GAP.sub(" ", text.split("\n\n", maxsplit=1)[0]).split()).strip(" .;,")[:300]


def understood(reading: Reading, asked: Expectation) -> Reading:
    """A reading as it is meant where that was asked for; readings that leave nothing open are themselves."""
    if asked == NOTHING:
        return reading
    if isinstance(reading, Measured) and asked.unit:
        reading = _converted(reading, asked.unit)
    if isinstance(reading, Number):
        return _number(reading, asked)
    if isinstance(reading, Series):
        return _series(reading, asked)
    if asked.base != 10 and isinstance(reading, Expression | Word):
        return based(reading.text.strip("()"), asked.base) or reading
    return reading


def _converted(reading: Measured, unit: str) -> Reading:
    one, other = known(reading.unit), known(unit)
    if one is None or other is None or one.dimension != other.dimension:
        return reading
    if not isinstance(reading.value, Number) or isinstance(reading.value.value, Huge):
        return reading.value if one == other else reading
    return Number(reading.value.value * one.size / other.size, reading.text, reading.value.decimal)


def _number(reading: Number, asked: Expectation) -> Reading:
    if isinstance(reading.value, Huge):
        return reading
    if asked.base != 10 and not reading.decimal and not reading.percent:
        return based(reading.text, asked.base) or reading
    if (asked.whole or asked.points) and re.fullmatch(r"[-+]?\d{1,3}\.\d{3}", reading.text):
        return Number(reading.value * 1000, reading.text)
    if asked.share == "percent":
        return Number(reading.value, reading.text, reading.decimal, percent=False)
    if asked.share == "number" and reading.percent:
        return Number(reading.value / 100, reading.text, reading.decimal, percent=False)
    return reading


def _series(reading: Series, asked: Expectation) -> Reading:
    number = None if asked.whole else reading.number
    items = tuple(understood(item, asked._replace(order="")) for item in reading.items)
    named = any(isinstance(item, Named) for item in items)
    kept = asked.order == "kept" or (asked.order == "" and asked.brackets == "tuple" and not named)
    if kept and reading.brackets == "":
        return Series(items, "", reading.text, False, number)
    if asked.brackets == "tuple" and reading.brackets in {"()", "[]"} and not named:
        return Series(items, "", reading.text[1:-1], False, number)  # never what lies between two numbers
    free = asked.order == "free" and reading.brackets in {"", "[]"} and len(items) != 2
    if free or (asked.order == "free" and reading.brackets == ""):
        return Series(items, "", reading.text, True, number)
    return Series(items, reading.brackets, reading.text, reading.unordered, number)


def packed(asked: Expectation) -> list[Any]:
    """An expectation as JSON has it, for another process."""
    return list(asked)


def unpacked(fields: list[Any]) -> Expectation:
    """What `packed` has packed."""
    *others, choices = fields
    return Expectation._make([*others, tuple((letter, text) for letter, text in choices)])
