r"""Numbers that tell formulas apart: their values at seeded points, to thirty digits.

Two formulas in the same symbols whose values differ are different, which costs no algebra; that values agree proves
nothing here. A value counts only where fifty digits confirm it.
"""

import contextlib
import math
from functools import lru_cache
from typing import Any, NamedTuple

from tts.answers._formula import FUNCTIONS, Node, tree

_POINTS = ("0.7321", "1.8713")  # positive, where no branch of a root or a logarithm is in doubt
_DIGITS, _CONFIRMING = 30, 50
_LARGEST = 10**5  # of an exponent, of what is under exp or a factorial
_FAULTS = (ArithmeticError, ValueError, TypeError, OverflowError, RecursionError)


class Fingerprint(NamedTuple):
    """The names of a formula's symbols, its values at the points."""

    names: frozenset[str]
    values: tuple[Any, ...]


def differ(a: str, b: str) -> bool:
    """Whether the fingerprints of two formulas, both in normal form, prove them different."""
    one = fingerprint(a)
    other = fingerprint(b) if one is not None else None
    if one is None or other is None or one.names != other.names:
        return False
    return any(abs(x - y) > 1e-9 * max(abs(x), abs(y), 1e-12) for x, y in zip(one.values, other.values, strict=True))


@lru_cache(maxsize=8192)
def fingerprint(text: str) -> Fingerprint | None:
    """That of a formula in normal form; None where it has a decimal in it, or no value that is sure."""
    node = tree(text)
    if node is None:
        return None
    names: set[str] = set()
    if not _collect(node, names):
        return None
    import mpmath  # type: ignore[import-untyped]

    values = []
    with contextlib.suppress(*_FAULTS):
        for point in _POINTS if names else _POINTS[:1]:
            with mpmath.workdps(_DIGITS):
                value = _value(node, point, mpmath)
            with mpmath.workdps(_CONFIRMING):
                again = _value(node, point, mpmath)
            if not mpmath.isfinite(value) or abs(value - again) > 1e-15 * max(abs(again), 1e-9):
                return None
            values.append(again)
        return Fingerprint(frozenset(names), tuple(values))
    return None


def _collect(node: Node, names: set[str]) -> bool:
    """Gather the names of symbols; False where a decimal is in the way."""
    if node.head == "symbol":
        names.add(str(node.value))
    return node.head != "decimal" and all(_collect(one, names) for one in node.args)


def _coordinate(name: str, point: str, mp: Any) -> Any:
    spread = sum(ord(sign) * (index + 7) for index, sign in enumerate(name)) % 9973
    return mp.mpf(point) * (1 + mp.mpf(spread) / 10007)


def _value(node: Node, point: str, mp: Any) -> Any:
    """The value of a tree; an ArithmeticError or its like where there is none."""
    if node.head == "number":
        return mp.mpf(node.value.numerator) / node.value.denominator  # type: ignore[union-attr]
    if node.head == "symbol":
        return _coordinate(str(node.value), point, mp)
    if node.head in {"e", "pi", "i"}:
        return {"e": mp.e, "pi": mp.pi, "i": mp.mpc(0, 1)}[node.head] + 0
    args = [_value(one, point, mp) for one in node.args]
    if node.head in FUNCTIONS:
        return _function(node.head, args, mp)
    return _operation(node.head, args, mp)


def _function(head: str, args: list[Any], mp: Any) -> Any:
    value = args[0]
    if abs(value) > _LARGEST:
        raise OverflowError
    if head in {"ln", "log"}:
        if mp.im(value) == 0 and mp.re(value) <= 0:
            raise ValueError
        if head == "log" and len(args) == 1:
            raise ValueError  # of which base, nobody says
        return mp.log(value) / (mp.log(args[1]) if len(args) > 1 else 1)
    name = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}.get(head, head)
    return getattr(mp, name)(value)


def _operation(head: str, args: list[Any], mp: Any) -> Any:
    if head == "sum":
        return mp.fsum(args)
    if head == "product":
        return mp.fprod(args)
    if head == "negate":
        return -args[0]
    if head == "fraction":
        return args[0] / args[1]
    if head == "power":
        return _power(args[0], args[1], mp)
    if head == "root":
        return _root(args[0], args[1], mp)
    if head == "abs":
        return abs(args[0])
    if head == "factorial":
        if not 0 <= args[0] <= _LARGEST:
            raise OverflowError
        return mp.factorial(args[0])
    raise ValueError


def _power(base: Any, exponent: Any, mp: Any) -> Any:
    if abs(exponent) > _LARGEST or abs(exponent) * abs(math.log(float(abs(base)) + 1e-300)) > _LARGEST:
        raise OverflowError
    if mp.im(exponent) == 0 and mp.isint(mp.re(exponent)):
        return base ** int(mp.re(exponent))
    if mp.im(base) == 0 and mp.re(base) < 0:
        raise ValueError  # real or complex, nobody says
    return base**exponent


def _root(base: Any, degree: Any, mp: Any) -> Any:
    if mp.im(base) == 0 and mp.re(base) < 0:
        if degree == 2:
            return mp.mpc(0, mp.sqrt(-base))
        if mp.isint(degree) and int(degree) % 2:
            return -((-base) ** (1 / degree))
        raise ValueError
    return base ** (1 / degree)
