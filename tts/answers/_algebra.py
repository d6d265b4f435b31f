"""Equality of two expressions by Math-Verify (SymPy), asked in a worker process that may be killed.

Decisions: closed expressions are compared by value at 30 digits, relatively, since Math-Verify compares `1/2004!` with
`1/2006!` absolutely; where those agree the precision rises, and exact expressions are equal only if their difference is
zero for SymPy, or they agree to 1,000 digits and hold no number that could hide behind so many. Expressions in the same
symbols are compared at sample points before anything is simplified; the rest is Math-Verify's verdict in either
direction. A lone `i` is the imaginary unit, an odd root of a negative number is real. SymPy values are never printed:
that alone can take minutes.
"""

import contextlib
import logging
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import mpmath  # type: ignore[import-untyped]
import sympy  # type: ignore[import-untyped]
from math_verify import LatexExtractionConfig, parse, verify  # type: ignore[import-untyped]
from sympy.core.function import AppliedUndef  # type: ignore[import-untyped]

from tts.answers._equality import DECIMALS

logging.getLogger("math_verify").setLevel(logging.CRITICAL)
logging.getLogger("latex2sympy2_extended").setLevel(logging.CRITICAL)

# Units are dropped before, and only after numbers: Math-Verify's own rule takes the c of `\\frac{1}{2}c` for one.
_NORMALIZATION = replace(LatexExtractionConfig().normalization_config, units=False)
_TARGETS = (LatexExtractionConfig(boxed_match_priority=0, normalization_config=_NORMALIZATION),)
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_LONGEST = 1500
_DEEPEST = 30
# A power of a power of a power, exponentials and absolute values likewise, a factorial of a factorial, a run of digits.
_MONSTER = re.compile(
    r"(?:\^[{(]*[\d.]+[)}]*){3}|(?:\^\{[^{}^]*){3}|(?:\\exp[({ ]*){3}|\|{5}"
    r"|\d\^[{(]*\d{8}|\^[{(]*\d+\^[{(]*\d{3}|!\s*[)}\]]+\s*!|!\s*!\s*!|\d{7}\s*[)}]*!|\d{400}"
)
_DIGITS = 30
_BITS = 110  # what 30 digits need
_MORE_DIGITS, _MOST_DIGITS = 100, 1000
_HIDING = 300  # a whole number from which on a power may make a difference too small for so many digits
_AGREEMENT = mpmath.mpf(10) ** -20
_DECIMAL_AGREEMENT = mpmath.mpf(10) ** -12  # where decimals, kept to 15 digits, are among the terms
_UNEVALUATED = (ArithmeticError, TypeError, ValueError, AttributeError, NotImplementedError, RecursionError)
_UNSAMPLED = (AppliedUndef, sympy.Sum, sympy.Product, sympy.Integral, sympy.Limit, sympy.Derivative)
_MISSED = mpmath.mpf(10) ** -6  # of an equation's size elsewhere: what it must be at another's root to be unequal
_POSITIVE = (mpmath.mpf("0.7321"), mpmath.mpf("1.8713"))
_NEGATIVE = mpmath.mpf("-1.3147")


class Verdict(NamedTuple):
    """Equal or not; `asymmetric` when Math-Verify's answer depends on which side is the gold."""

    equal: bool
    asymmetric: bool = False


def _hostile(text: str) -> bool:
    """Whether reading it could only waste time: too long, too deep, or a number no machine can write down."""
    depth = deepest = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    return len(text) > _LONGEST or deepest > _DEEPEST or _MONSTER.search(text) is not None


@lru_cache(maxsize=4096)
def expression(text: str) -> Any:
    """SymPy value of LaTeX or plain text, or None where Math-Verify cannot read it or had better not try."""
    if _hostile(text):
        return None
    found = parse(f"${text}$", extraction_config=_TARGETS, parsing_timeout=None)
    value = next((value for value in found if not isinstance(value, str)), None)
    return _complex(value, text) if isinstance(value, sympy.Basic) else value


def _complex(value: Any, text: str) -> Any:
    """With i for the imaginary unit, unless it counts something; with the real roots of negative numbers."""
    letters = _COMMAND.sub(" ", text)
    if "i" in letters and "I" not in letters and not value.has(sympy.Sum, sympy.Product, sympy.Integral):
        value = value.subs({symbol: sympy.I for symbol in value.free_symbols if symbol.name == "i"})
    if "sqrt[" in text:
        value = value.replace(_odd_root_of_negative, lambda root: -((-root.base) ** root.exp))
    return value


def _odd_root_of_negative(expr: Any) -> bool:
    return bool(expr.is_Pow and expr.exp.is_Rational and expr.exp.q % 2 and expr.exp.p == 1 and expr.base.is_negative)


def prepare(text: str) -> None:
    """Read and evaluate one expression, so that what never ends does so while only that expression is at hand."""
    expr = expression(text)
    if expr is not None and _scalar(expr):
        with contextlib.suppress(*_UNEVALUATED):
            for point in range(len(_POSITIVE) + 1) if expr.free_symbols else [None]:
                _value(expr, point)


@lru_cache(maxsize=16384)
def _value(expr: Any, point: int | None) -> Any:
    """Number (of mpmath) at a sample point (None: a closed expression), or None where it has no value."""
    if point is not None:
        names = sorted(expr.free_symbols, key=lambda symbol: symbol.name)
        expr = expr.subs({symbol: sympy.Float(_coordinate(symbol.name, point), _DIGITS) for symbol in names})
    value = expr.evalf(_DIGITS)
    if not value.is_number or value.has(sympy.UnevaluatedExpr):
        value = expr.doit().evalf(_DIGITS)
    real, imaginary = value.as_real_imag()
    if not (real.is_Float or real.is_Rational) or not (imaginary.is_Float or imaginary.is_Rational):
        return None
    with mpmath.workprec(_BITS):
        return mpmath.mpc(mpmath.mpmathify(real), mpmath.mpmathify(imaginary))


def _coordinate(name: str, point: int) -> Any:
    """A number that depends on the symbol's name alone, so that one symbol has one value on both sides."""
    spread = mpmath.mpf(sum(ord(sign) * (index + 7) for index, sign in enumerate(name)) % 9973) / 10007
    return (_NEGATIVE if point == len(_POSITIVE) else _POSITIVE[point]) * (1 + spread)


def _scalar(expr: Any) -> bool:
    return isinstance(expr, sympy.Expr) and not isinstance(expr, sympy.MatrixExpr) and not expr.has(*_UNSAMPLED)


def _agree(a: Any, b: Any, tolerance: Any) -> bool | None:
    """Relative agreement; None when both are so near zero that only symbols can tell."""
    scale = max(abs(a), abs(b))
    if abs(a - b) <= tolerance * scale:
        return True
    return None if min(abs(a), abs(b)) == 0 and scale < mpmath.mpf(10) ** -_DIGITS else False


def _decimals_agree(a: Any, b: Any) -> bool:
    """`0.333333` against `1/3`: equal at six places, and to a thousandth where six places say little."""
    gap = abs(a - b)
    return bool(gap <= mpmath.mpf(10) ** -DECIMALS / 2 and gap <= max(abs(a), abs(b)) / 1000)


def _closed_equal(a: Any, b: Any) -> bool | None:
    x, y = _value(a, None), _value(b, None)
    if x is None or y is None:
        return None
    agree = _agree(x, y, _tolerance(a, b))
    if not agree and (a.is_Float or b.is_Float):
        return _decimals_agree(x, y)
    # Where one of them is too small for thirty digits, `ln(1+e^{-200})`, more of them tell.
    return _exactly_equal(a, b) if agree is not False and not _any_decimal(a, b) else agree


def _exactly_equal(a: Any, b: Any) -> bool | None:
    """Of closed exact expressions that agree to thirty digits: zero for SymPy, or as many digits as can be had."""
    difference = a - b
    if difference.is_zero:
        return True
    for digits in (_MORE_DIGITS, _MOST_DIGITS):
        with mpmath.workprec(int(digits * 3.4)):
            gap = mpmath.mpmathify(abs(sympy.N(difference, 15, maxn=digits)))
            size = mpmath.mpmathify(abs(sympy.N(a, 15)))
            if gap > (size or 1) * mpmath.mpf(10) ** (10 - digits):
                return False
    if any(abs(number) > _HIDING for number in difference.atoms(sympy.Integer)):
        return True if sympy.simplify(difference) == 0 else None
    return True


def _sampled_equal(a: Any, b: Any) -> bool | None:
    """Values at sample points; None where these do not settle it."""
    for point in range(len(_POSITIVE) + 1):
        x, y = _value(a, point), _value(b, point)
        agree = None if x is None or y is None else _agree(x, y, _tolerance(a, b))
        if not agree:
            # Beyond the positive numbers branches differ: sqrt(x)*sqrt(y) against sqrt(x*y). What has no real value
            # there, sqrt(1/n), is not meant there.
            beyond = point == len(_POSITIVE)
            return (True if _unreal(a, b, x, y) else None) if beyond else agree
    return True


def _unreal(a: Any, b: Any, x: Any, y: Any) -> bool:
    """Whether both values are imaginary although no imaginary unit is in either expression."""
    if x is None or y is None or a.has(sympy.I) or b.has(sympy.I):
        return False
    return all(abs(value.imag) > mpmath.mpf(10) ** -20 * abs(value) for value in (x, y))


def _any_decimal(a: Any, b: Any) -> bool:
    return bool(a.has(sympy.Float) or b.has(sympy.Float))


def _tolerance(a: Any, b: Any) -> Any:
    return _DECIMAL_AGREEMENT if _any_decimal(a, b) else _AGREEMENT


def _differ_by_a_number(a: Any, b: Any) -> bool:
    """Whether like terms leave a number: `7^{7^7}+1` agrees with `7^{7^7}` to any digits that can be computed."""
    difference = a - b
    return bool(difference.is_Rational and difference != 0)


def _may_spell(expr: Any) -> bool:
    return bool(expr.is_Symbol or (expr.is_Mul and all(factor.is_Symbol or factor == sympy.E for factor in expr.args)))


def _by_value(a: Any, b: Any) -> bool | None:
    if isinstance(a, sympy.Eq) and isinstance(b, sympy.Eq):
        return _equations_equal(a, b)
    if not (_scalar(a) and _scalar(b)):
        return None
    names, others = ({symbol.name for symbol in expr.free_symbols} for expr in (a, b))
    if not names and not others:
        equal = _closed_equal(a, b)
        return False if equal and not _any_decimal(a, b) and _differ_by_a_number(a, b) else equal
    if names != others and (_may_spell(a) or _may_spell(b)):
        return None  # Math-Verify also reads a product of letters as a word
    return False if _differ_by_a_number(a, b) else _sampled_equal(a, b)


@lru_cache(maxsize=4096)
def _root(expr: Any) -> dict[str, Any] | None:
    """A point, by names of symbols, where the expression is zero; None where none is found."""
    symbols = sorted(expr.free_symbols, key=lambda symbol: symbol.name)
    point = {symbol.name: _coordinate(symbol.name, 0) for symbol in symbols}
    for unknown in symbols:
        fixed = {symbol: sympy.Float(point[symbol.name], _DIGITS) for symbol in symbols if symbol != unknown}
        function = sympy.lambdify(unknown, expr.subs(fixed), "mpmath")
        with contextlib.suppress(*_UNEVALUATED):
            start = point[unknown.name]
            return {**point, unknown.name: mpmath.findroot(function, (start, start + mpmath.mpc("0.1", "0.2")))}
    return None


def _equations_equal(a: Any, b: Any) -> bool | None:
    """Unequal in other symbols, or when one fails at a solution of the other; equal when proportional."""
    f, g = a.lhs - a.rhs, b.lhs - b.rhs
    names, others = ({symbol.name for symbol in expr.free_symbols} for expr in (f, g))
    if not names or not (_scalar(f) and _scalar(g)):
        return None
    if names != others:
        return False
    values = [(_value(f, point), _value(g, point)) for point in range(len(_POSITIVE) + 1)]
    if all(x and y and _agree(x * values[0][1], y * values[0][0], _tolerance(f, g)) for x, y in values):
        return True
    root = _root(f)
    if root is None:
        return None
    at_root = g.subs({symbol: root[symbol.name] for symbol in g.free_symbols}).evalf(_DIGITS)
    elsewhere = next((abs(y) for _, y in values if y), None)
    return False if elsewhere and at_root.is_number and abs(at_root) > _MISSED * elsewhere else None


def _math_verify(a: Any, b: Any) -> Verdict:
    forward, backward = (
        verify(x, y, float_rounding=DECIMALS, allow_set_relation_comp=True, timeout_seconds=None)
        for x, y in ((a, b), (b, a))
    )
    return Verdict(forward or backward, asymmetric=forward != backward)


def _letters_differ_in_case(a: str, b: str) -> bool:
    """`X` against `x`: two symbols, which Math-Verify takes for one."""
    one, other = ({sign for sign in _COMMAND.sub("", text) if sign.isalpha()} for text in (a, b))
    return one != other and {letter.lower() for letter in one} == {letter.lower() for letter in other}


def decide(a: str, b: str) -> Verdict:
    """Verdict on two expressions given as text; symmetric."""
    left, right = expression(a), expression(b)
    if left is None or right is None or _letters_differ_in_case(a, b):
        return Verdict(equal=False)
    try:
        equal = _by_value(left, right)
    except _UNEVALUATED:
        equal = None
    return _math_verify(left, right) if equal is None else Verdict(equal)
