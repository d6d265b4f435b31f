r"""Units of measurement after a value: how they are written, what they are worth.

A unit is canonical text: `cm^2`, `m/s`, `apple`. An answer without one leaves it implied; two that have different ones
are different, unless both measure one thing (`42 cm` and `0.42 m`) or one says no more than the other (`5 balls` and `5
red balls`).
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

# Canonical symbol: dimension, how many of its base unit, other names.
_TABLE = """
mm length 1/1000 millimeter millimetre
cm length 1/100 centimeter centimetre
dm length 1/10 decimeter decimetre
m length 1 meter metre
km length 1000 kilometer kilometre
nm length 1/1000000000 nanometer nanometre
in length 127/5000 inch inche
ft length 381/1250 foot feet
yd length 1143/1250 yard
mi length 201168/125 mile
ms time 1/1000 millisecond
s time 1 second sec
min time 60 minute
h time 3600 hour hr
day time 86400 d
week time 604800 wk
month month 1
yr month 12 year
mg mass 1/1000 milligram
g mass 1 gram gramme
kg mass 1000 kilogram kilo
lb mass 45359237/100000 pound
oz mass 45359237/1600000 ounce
L volume 1 liter litre l
mL volume 1/1000 milliliter millilitre ml
cent money 1/100
dollar money 1 usd buck
euro euro 1 eur
gbp gbp 1
yen yen 1 jpy
yuan yuan 1 cny rmb
rupee rupee 1 rs inr
N force 1 newton
kN force 1000 kilonewton
J energy 1 joule
kJ energy 1000 kilojoule
W power 1 watt
kW power 1000 kilowatt
V voltage 1 volt
A current 1 ampere amp
C charge 1 coulomb
Hz frequency 1 hertz
kHz frequency 1000 kilohertz
MHz frequency 1000000 megahertz
Pa pressure 1 pascal
kPa pressure 1000 kilopascal
atm atmosphere 1 atmosphere
mol amount 1 mole
mmol amount 1/1000 millimole
K temperature 1 kelvin
ohm resistance 1
degree angle 1 deg
radian radian 1 rad
ha hectare 1
dozen dozen 1
am clock-am 1
pm clock-pm 1
bc era-bc 1 bce
ad era-ad 1 ce
celsius celsius 1
fahrenheit fahrenheit 1
eV eV 1
cal cal 1 calorie
kcal cal 1000 kilocalorie
bit data 1
byte data 8
T tesla 1
"""


_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")


class Unit(NamedTuple):
    """A known unit: what it measures, how many of the base unit it is."""

    dimension: str
    size: Fraction


def _table() -> tuple[dict[str, Unit], dict[str, str]]:
    units, names = {}, {}
    for line in _TABLE.strip().splitlines():
        symbol, dimension, size, *others = line.split()
        units[symbol] = Unit(dimension, Fraction(size))
        names[symbol] = symbol
        for other in others:
            names[other] = symbol
    return units, names


_UNITS, _NAMES = _table()
_GENERIC = frozenset(("unit", "squareunit", "cubicunit", "sq", "u"))  # says nothing
_FILLERS = frozenset(
    ["of", "the", "a", "an", "in", "per", "total", "different", "possible", "distinct", "whole", "more", "is", "are"]
)
_SYMBOLS = {
    r"\Omega": "ohm",
    r"\mu": "micro",
    r"\circ": "degree",
    r"\AA": "angstrom",
    r"\pounds": "gbp",
    "€": "euro",
    "£": "gbp",
    "¥": "yen",
}
_LONE_LETTERS = frozenset("mgshJNWVAKLlCdT")  # units that may be symbols of a formula as well
_POWER = r"(?:\^(?:\{\s*-?\d\s*\}|-?\d))?"
_GROUP = rf"\\text\{{[^{{}}]*\}}{_POWER}"
_WORDS = "|".join(sorted((re.escape(name) for name in _NAMES if len(name) > 1), key=len, reverse=True))
_ATOM = rf"(?:(?:{_WORDS}|[{''.join(sorted(_LONE_LETTERS))}])s?(?![a-zA-Z]){_POWER})"
_JOIN = r"\s*(?:/|\\cdot|\*|·)?\s*"
_TAIL = re.compile(
    rf"(?:(?<=[\d}})|%\]])|(?<=[a-zA-Z]))(?P<gap>\s*)(?P<unit>"
    rf"{_GROUP}(?:{_JOIN}(?:{_GROUP}))*"
    rf"|\\frac\{{\s*{_GROUP}\s*\}}\{{\s*(?:{_GROUP}\s*)+\}}"
    rf")$"
)
_PLAIN_TAIL = re.compile(
    rf"(?<=[\d}})|%])(?P<gap>\s*)(?P<unit>(?:{_ATOM})(?:{_JOIN}{_ATOM})*"
    r"|(?:square |cubic )?units?"
    r"|\\Omega|[€£¥]|\\\$|(?:\^\\circ|°)?\s?[CF](?![a-zA-Z])|\^(?:\\circ|\{\s*\\circ\s*\}))$"
)
_PROSE_TAIL = re.compile(r"(?<=[\d%}])\s+(?P<unit>[^\W\d_][\w'-]+(?:[ -][^\W\d_][\w'.-]*){0,5}" + _POWER + ")$")
_ORDINAL = re.compile(r"(?<=\d)\s?(?:\^\s?\{?\s?(?:\\text\{)?\s?)?(?:st|nd|rd|th)(?![a-zA-Z])(?:\s?\})*")
_CURRENCY = re.compile(
    r"^\s*(?P<sign>[-+]?)\s*(?P<unit>Rs\.?|INR|USD|EUR|GBP|US\\?\$|\\\$|[€£¥]|\\text\{\s*(?:Rs\.?|USD|EUR)\s*\})\s*(?=[-+\d.])"
)


class Split(NamedTuple):
    """A value and the unit after it; `lone` where the unit is a letter that may be a symbol."""

    body: str
    unit: str
    lone: bool = False


def split_unit(text: str) -> Split | None:
    """The value and its unit, or None where no unit stands after a value."""
    if len(text) > 400 or not text[:400]:
        return None
    money = _CURRENCY.match(text)
    if money is not None:
        return Split(money["sign"] + text[money.end() :], canonical(money["unit"]))
    ordinal = _ORDINAL.search(text)
    if ordinal is not None and text[: ordinal.start()].isdigit():
        rest = text[ordinal.end() :].strip()
        return Split(text[: ordinal.start()], canonical(rest) or "th")
    for pattern in (_TAIL, _PLAIN_TAIL, _PROSE_TAIL):
        match = pattern.search(text)
        if match is None or not text[: match.start()].strip():
            continue
        body, unit = text[: match.start()].strip(), canonical(match["unit"])
        if not _fits(body, unit, match["unit"]):
            return None
        lone = match["unit"] in _LONE_LETTERS and pattern is _PLAIN_TAIL
        if lone and not match["gap"]:
            return None  # 8m is eight times m
        return Split(body, unit, lone)
    return None


def _fits(body: str, unit: str, written: str) -> bool:
    """Whether the text before a unit is a value: after a letter, only a unit that is known."""
    if not unit or body.endswith(("=", "+", "-", "*", "/", "\\", "(", ",", "^", "_")):
        return False
    if unit == "degree" and _TRIGONOMETRIC.search(body):
        return False
    if body[-1:].isalpha():
        return (known(unit) is not None or unit.partition("^")[0] in _GENERIC) and written.startswith("\\")
    return True


@lru_cache(maxsize=4096)
def canonical(written: str) -> str:
    """A unit's canonical text; empty where the text names none."""
    text = re.sub(r"\\frac\{(.*)\}\{((?:[^{}]|\{[^{}]*\})*)\}$", r"\1/\2", written.strip())
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text)
    for command, name in _SYMBOLS.items():
        text = text.replace(command, f" {name} ")
    text = (
        re.sub(r"^US\\?\$", "dollar", text)
        .replace("°", " degree ")
        .replace("\\cdot", "*")
        .replace("·", "*")
        .replace(r"\$", " dollar ")
        .replace("\\", " ")
    )
    text = re.sub(r"\^\s*(?=degree)", " ", text)
    text = re.sub(r"\^\s*\{\s*(-?\d)\s*\}", r"^\1", text)
    text = re.sub(r"\s*([/*^])\s*", r"\1", text).replace("{", "").replace("}", "").strip(" .,;:!")
    text = re.sub(r"\s+", " ", text)
    for short, long in (("mph", "mi/h"), ("kph", "km/h"), ("kmh", "km/h"), ("sqft", "ft^2")):
        text = re.sub(rf"(?<![a-zA-Z]){short}(?![a-zA-Z])", long, text)
    text = re.sub(r"\bdegrees? (?:C\b|[cC]elsius\b)", "celsius", text)
    text = re.sub(r"\bdegrees? (?:F\b|[fF]ahrenheit\b)", "fahrenheit", text)
    text = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", text)
    text = re.sub(r"\b[sS]q(?:uare|\.)? ?([a-zA-Z]+)", r"\1^2", text)
    text = re.sub(r"\b[cC](?:ubic|u\.) ?([a-zA-Z]+)", r"\1^3", text)
    text = re.sub(r"(?<=\w) per (?=\w)", "/", text)
    words = [_atom(part) for part in re.split(r"([/* ])", text)]
    return (
        re.sub(r"\^1\b", "", "".join(word for word in words if word != " ").strip("/*"))
        if len(words) == 1
        else _joined(words)
    )


def _joined(parts: list[str]) -> str:
    words = [part for part in parts if part and part not in _FILLERS]
    return re.sub(r" ?([/*]) ?", r"\1", " ".join(word for word in words if word.strip())).strip("/* ")


def _atom(part: str) -> str:
    """One word of a unit: a known unit by its symbol, a noun in the singular, with its power."""
    name, _, power = part.partition("^")
    found = _NAMES.get(name) or _NAMES.get(name.lower()) if len(name) > 1 else _NAMES.get(name)
    if found is None and len(name) > 2:
        low = name.lower()
        for ending in ("s", "es"):
            if low.endswith(ending) and low.removesuffix(ending) in _NAMES:
                found = _NAMES[low.removesuffix(ending)]
        if found is None:
            found = low[:-3] + "y" if low.endswith("ies") else low.removesuffix("s") if not low.endswith("ss") else low
    word = found or name
    return f"{word}^{power}" if power and power != "1" else word


@lru_cache(maxsize=4096)
def known(unit: str) -> Unit | None:
    """What a canonical unit measures and how large it is, or None."""
    parts = re.split(r"([/* ])", unit)
    size, dimension, below = Fraction(1), [], False
    for part in parts:
        if part in {"/", "*", " ", ""}:
            below = below or part == "/"
            continue
        name, _, power = part.partition("^")
        found = _UNITS.get(name)
        if found is None:
            return None
        exponent = int(power or 1) * (-1 if below else 1)
        size *= found.size**exponent
        dimension.append(f"{found.dimension}^{exponent}")
    return Unit("*".join(sorted(dimension)), size) if dimension else None


def compatible(a: str, b: str) -> bool:
    """Whether two units, neither of which converts to the other, may be meant by one value."""
    if a == b:
        return True
    one, other = set(re.split(r"[ /*]", a)), set(re.split(r"[ /*]", b))
    if any(part.split("^")[0] in _GENERIC for part in one | other):
        powers = {part.partition("^")[2] for part in one | other} - {""}
        return len(powers) < 2
    return known(a) is None and known(b) is None and (one <= other or other <= one)
