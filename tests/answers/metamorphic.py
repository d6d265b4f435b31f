r"""Pairs of answers made of one: by changes that keep its meaning, by changes that do not.

Of any gold answer: dress, spacing, equivalent forms, the order of terms and of sets keep it; one more, another sign,
another unit, another base, another order of a tuple change it. Whoever grades should say so for nearly all of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

Change = Callable[[str, random.Random], str | None]
_INTEGER = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_FRACTION = re.compile(r"(-?)\\frac\{(\d+)\}\{(\d+)\}")
_TUPLE = re.compile(r"\(([^()]+(?:,[^()]+)+)\)")
_SET = re.compile(r"\\\{([^{}]+(?:,[^{}]+)+)\\\}")
_MEASURED = re.compile(r"(-?[\d.]+) \\text\{ (cm|km|m|kg|hours|minutes|dollars|degrees)\}")
_BASED = re.compile(r"(\d+)_\{?(\d+)\}?")


class Pair(NamedTuple):
    """A gold answer, what was made of it, by which change, whether the meaning was kept."""

    gold: str
    answer: str
    change: str
    kept: bool


def _terms(text: str) -> list[str] | None:
    """Top-level terms with their signs, of a plain sum."""
    if re.search(r"[=<>,|]|\\(?:le|ge|cup|in|pm|text|begin)(?![a-z])", text):
        return None
    terms, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and place > start and sign in "+-" and text[place - 1] not in "^_*/(":
            terms.append(text[start:place].strip())
            start = place
    terms.append(text[start:].strip())
    return terms if len(terms) > 1 and depth == 0 else None


def _reordered(text: str, draw: random.Random) -> str | None:
    terms = _terms(text)
    if terms is None:
        return None
    signed = [term if term[0] in "+-" else f"+{term}" for term in terms]
    shuffled = signed[1:] + signed[:1]
    return "".join(shuffled).removeprefix("+")


def _expanded(text: str, draw: random.Random) -> str | None:
    match = _FRACTION.fullmatch(text)
    factor = draw.choice((2, 3, 7))
    return rf"{match[1]}\frac{{{factor * int(match[2])}}}{{{factor * int(match[3])}}}" if match else None


def _decimal(text: str, draw: random.Random) -> str | None:
    match = _FRACTION.fullmatch(text)
    if match is None:
        return None
    value = Fraction(int(match[2]), int(match[3]))
    exact = value.denominator
    for prime in (2, 5):
        while exact % prime == 0:
            exact //= prime
    return f"{match[1]}{float(value)!r}" if exact == 1 and value.denominator < 1000 else None


def _grouped(text: str, draw: random.Random) -> str | None:
    return f"{int(text):,}" if _INTEGER.fullmatch(text) and abs(int(text)) > 999 else None


def _shuffled(pattern: re.Pattern[str], opening: str, closing: str) -> Change:
    def change(text: str, draw: random.Random) -> str | None:
        match = pattern.fullmatch(text)
        if match is None:
            return None
        items = [item.strip() for item in match[1].split(",")]
        turned = items[1:] + items[:1]
        return f"{opening}{', '.join(turned)}{closing}" if turned != items else None

    return change


def _always(form: str) -> Change:
    return lambda text, _: form.replace("#", text)


def _where(test: Callable[[str], object], form: Callable[[str], str]) -> Change:
    return lambda text, _: form(text) if test(text) else None


KEPT: dict[str, Change] = {
    "dollars": _always("$#$"),
    "box": _always(r"\boxed{#}"),
    "display": _always(r"\[ # \]"),
    "sentence": _always("The answer is $#$."),
    "full stop": _always("#."),
    "spaces": _always("  # "),
    "displaystyle": _always(r"\displaystyle #"),
    "thin spaces": _where(lambda t: re.search(r"[+=]", t), lambda t: re.sub(r"([+=])", r"\\, \1 \\; ", t)),
    "dfrac": _where(lambda t: r"\frac" in t, lambda t: t.replace(r"\frac", r"\dfrac")),
    "left and right": _where(
        lambda t: t.startswith("(") and t.endswith(")") and t.count("(") == 1, lambda t: rf"\left{t[:-1]}\right)"
    ),
    "minus sign": _where(lambda t: "-" in t and "\\" not in t, lambda t: t.replace("-", "\u2212")),
    "zero-width": lambda text, _: f"{text[:1]}\u200b{text[1:]}" if text[:1].isdigit() else None,
    "point zero": _where(_INTEGER.fullmatch, lambda t: f"{t}.0"),
    "plus sign": _where(re.compile(r"\d+").fullmatch, lambda t: f"+{t}"),
    "equals": _always("= #"),
    "unit": _where(re.compile(r"-?\d+").fullmatch, lambda t: rf"{t} \text{{ cm}}"),
    "spaced unit": _where(_INTEGER.fullmatch, lambda t: rf"{t}\, \mathrm{{kg}}"),
    "bold": _where(_INTEGER.fullmatch, lambda t: rf"\mathbf{{{t}}}"),
    "colour": _where(_INTEGER.fullmatch, lambda t: rf"\color{{red}}{{{t}}}"),
    "thousands": _grouped,
    "slash": _where(_FRACTION.fullmatch, lambda t: _FRACTION.sub(r"\1\2/\3", t)),
    "larger fraction": _expanded,
    "as decimal": _decimal,
    "trailing zero": _where(_DECIMAL.fullmatch, lambda t: f"{t}0"),
    "order of terms": _reordered,
    "order of a set": _shuffled(_SET, r"\{", r"\}"),
    "spaces in a tuple": _where(_TUPLE.fullmatch, lambda t: t.replace(",", r",\ ")),
    "no unit": _where(_MEASURED.fullmatch, lambda t: _MEASURED.sub(r"\1", t)),
    "braces of a base": _where(_BASED.fullmatch, lambda t: _BASED.sub(r"\1_{\2}", t)),
    "brackets of a base": _where(_BASED.fullmatch, lambda t: _BASED.sub(r"(\1)_{\2}", t)),
    "cdot": _where(
        lambda t: re.search(r"\d[a-z]", t) and "_" not in t and "\\" not in t,
        lambda t: re.sub(r"(\d)([a-z])", r"\1 \\cdot \2", t),
    ),
    "nothing added": _where(_terms, lambda t: f"{t}+0"),
}  # fmt: skip


def _more(text: str, draw: random.Random) -> str | None:
    """One more: of the value of a formula, of the last number in anything else."""
    if re.search(r"[=<>,|_]|\\(?:le|ge|cup|in|pm|text|begin)(?![a-z])", text):
        found = [*re.finditer(r"\d+", text)]
        if not found:
            return None
        last = found[-1]
        return f"{text[: last.start()]}{int(last.group()) + 1}{text[last.end() :]}"
    return f"{text}+1"


def _less(text: str, draw: random.Random) -> str | None:
    return str(int(text) - 1) if _INTEGER.fullmatch(text) else None


def _negated(text: str, draw: random.Random) -> str | None:
    if re.fullmatch(r"[-+]?[0.]+", text) or re.search(r"[=<>,|_]|\\(?:le|ge|cup|in|pm|begin)(?![a-z])", text):
        return None
    if text.startswith("-") and _terms(text) is None:
        return text[1:]
    return f"-{text}" if _terms(text) is None else f"-({text})"


def _unit_changed(text: str, draw: random.Random) -> str | None:
    match = _MEASURED.fullmatch(text)
    if match is None:
        return None
    other = draw.choice([unit for unit in ("mm", "kg", "hours", "dollars", "cm") if unit != match[2]])
    return rf"{match[1]} \text{{ {other}}}"


def _base_changed(text: str, draw: random.Random) -> str | None:
    match = _BASED.fullmatch(text)
    return f"{match[1]}_{int(match[2]) + 1}" if match else None


CHANGED: dict[str, Change] = {
    "one more": _more,
    "one less": _less,
    "sign": _negated,
    "ten times": _where(re.compile(r"-?[1-9]\d*").fullmatch, lambda t: f"{t}0"),
    "upside down": _where(
        lambda t: (m := _FRACTION.fullmatch(t)) and m[2] != m[3], lambda t: _FRACTION.sub(r"\1\\frac{\3}{\2}", t)
    ),
    "order of a tuple": _shuffled(_TUPLE, "(", ")"),
    "unit": _unit_changed,
    "base": _base_changed,
    "power": _where(lambda t: re.fullmatch(r"\d+ cm\^2", t), lambda t: t.replace("^2", "^3")),
}


def pairs(golds: list[str], seed: int = 0) -> Iterator[Pair]:
    """Every pair that the changes make of the gold answers; each gold answer is made of itself, too."""
    for gold in golds:
        draw = random.Random(f"{seed}|{gold}")
        for kept, changes in ((True, KEPT), (False, CHANGED)):
            for name, change in changes.items():
                answer = change(gold, draw)
                if answer is not None and answer != gold:
                    yield Pair(gold, answer, name, kept)


def generated(count: int, seed: int = 0) -> list[str]:
    """Gold answers of every kind that the benchmarks have."""
    draw = random.Random(seed)

    def whole(low: int = 1, high: int = 60) -> int:
        return draw.randint(low, high)

    makers: list[Callable[[], str]] = [
        lambda: str(draw.choice((1, -1)) * whole(1, 99_999)),
        lambda: str(whole(10**12, 10**18)),
        lambda: f"{whole(-99, 99)}.{whole(1, 9999)}",
        lambda: rf"{draw.choice(('', '-'))}\frac{{{whole()}}}{{{whole(2, 60)}}}",
        lambda: rf"{whole(2, 20)}\sqrt{{{draw.choice((2, 3, 5, 6, 7, 10))}}}",
        lambda: rf"{whole(2, 20)}+{whole(2, 20)}\sqrt{{{draw.choice((2, 3, 5))}}}",
        lambda: rf"\frac{{{whole()}\pi}}{{{whole(2, 20)}}}",
        lambda: rf"{whole(2, 30)}\pi",
        lambda: f"{whole(2, 30)}x^{whole(2, 5)}-{whole(2, 30)}x+{whole(1, 99)}",
        lambda: rf"\frac{{x+{whole()}}}{{x^2+{whole()}}}",
        lambda: f"{whole()}+{whole()}i",
        lambda: f"({whole(1, 30)},{whole(31, 60)})",
        lambda: f"({whole(1, 20)},{whole(21, 40)},{whole(41, 60)})",
        lambda: rf"\{{{whole(1, 20)},{whole(21, 40)},{whole(41, 60)}\}}",
        lambda: rf"{whole()} \text{{ {draw.choice(('cm', 'km', 'm', 'kg', 'hours', 'minutes', 'dollars'))}}}",
        lambda: f"{int(format(whole(10, 400), 'b'))}_2",
        lambda: f"{whole(2, 9)}^{{{whole(50, 400)}}}-{whole(1, 9)}",
        lambda: rf"\frac{{{whole(2, 9)}^{{{whole(50, 200)}}}-1}}{{{whole(2, 9)}}}",
        lambda: rf"1-\frac{{1}}{{2^{{{whole(50, 300)}}}}}",
        lambda: rf"\ln {whole(2, 60)}",
        lambda: rf"e^{{{whole(2, 9)}}}-{whole(1, 20)}",
        lambda: rf"{whole(2, 20)}\sin(x)+{whole(1, 20)}",
        lambda: rf"x={whole(2, 400)}",
        lambda: rf"[{whole(1, 20)},{whole(21, 60)})",
        lambda: f"{whole(5, 40)} cm^2",
        lambda: rf"\binom{{{whole(30, 60)}}}{{{whole(5, 20)}}}",
    ]  # fmt: skip
    return list(dict.fromkeys(makers[place % len(makers)]() for place in range(count)))
