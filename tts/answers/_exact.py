r"""Exact values of formulas: quotients of polynomials over rational numbers, i, square roots.

Whole numbers of any length that can be written down, `\frac{3^{100}-1}{2}`, `\frac{1}{1+\sqrt{2}}`, `(1+i)^2`,
`\frac{x+1}{x^2-1}`: two of these are equal exactly if their cross products have the same terms, since square roots of
different square-free numbers are independent over the rationals. Symbols, e and π stand for themselves. Work is counted
and limited, so that a hostile formula has no exact value rather than a late one.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from tts.answers._formula import Node, tree

Monomial = tuple[int, tuple[tuple[str, int], ...]]  # under the root (square-free, negative with i), powers of symbols
Terms = dict[Monomial, Fraction]

_ONE: Monomial = (1, ())
_WORK = 6_000  # products of two coefficients, weighed by their length
_BITS = 60_000  # of a number
_MOST_TERMS = 300
_HIGHEST = 2_000  # power of anything but a number
_LARGEST_FACTORIAL = 2_000
_FACTORED = 10**12  # numbers up to which square factors are looked for


class Quotient(NamedTuple):
    """A value: terms over terms; `decimal` says that a decimal is among them, so that the last digit may be rounded."""

    above: Terms
    below: Terms
    decimal: bool

    @property
    def number(self) -> Fraction | None:
        """The rational number that it is, or None."""
        above, below = _rational(self.above), _rational(self.below)
        return above / below if above is not None and below else None

    @property
    def closed(self) -> bool:
        """Whether no symbol, nor e nor π, is in it."""
        return not any(powers for terms in (self.above, self.below) for _, powers in terms)

    @property
    def key(self) -> tuple[tuple[Monomial, Fraction], ...] | None:
        """Equal for equal values and different for different ones; None where only the cross product tells."""
        below = _rational(self.below)
        if below is None:
            return None
        return tuple(sorted((monomial, factor / below) for monomial, factor in self.above.items()))


class _Beyond(Exception):  # noqa: N818 - not an error: a way out of the recursion
    pass


def _rational(terms: Terms) -> Fraction | None:
    if not terms:
        return Fraction(0)
    return terms.get(_ONE) if len(terms) == 1 else None


def _constant(value: Fraction | int) -> Quotient:
    return Quotient({_ONE: Fraction(value)} if value else {}, {_ONE: Fraction(1)}, False)


def _symbol(name: str) -> Quotient:
    return Quotient({(1, ((name, 1),)): Fraction(1)}, {_ONE: Fraction(1)}, False)


def _size(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _join(a: Monomial, b: Monomial) -> tuple[Monomial, int]:
    """Product of two monomials: the monomial, and the whole number before it."""
    factor = 1
    if a[0] == 1 or b[0] == 1:
        radical = a[0] * b[0]
    else:
        common = math.gcd(a[0], b[0])
        radical = (a[0] // common) * (b[0] // common)
        factor = common
        if a[0] < 0 and b[0] < 0:
            factor = -common
    if not a[1] or not b[1]:
        return (radical, a[1] or b[1]), factor
    powers = dict(a[1])
    for name, power in b[1]:
        powers[name] = powers.get(name, 0) + power
        if powers[name] > _HIGHEST:
            raise _Beyond
    return (radical, tuple(sorted(powers.items()))), factor


class _Evaluation:
    """One formula's evaluation with the work that it may still do."""

    def __init__(self) -> None:
        self._left = _WORK

    def _spend(self, a: Fraction, b: Fraction) -> None:
        bits = _size(a) + _size(b)
        self._left -= 1 + (bits * bits >> 22)
        if self._left < 0 or bits > 2 * _BITS:
            raise _Beyond

    def times(self, a: Terms, b: Terms) -> Terms:
        found: Terms = {}
        for one, x in a.items():
            for other, y in b.items():
                self._spend(x, y)
                monomial, factor = _join(one, other)
                found[monomial] = found.get(monomial, Fraction(0)) + x * y * factor
                if len(found) > _MOST_TERMS:
                    raise _Beyond
        return {monomial: factor for monomial, factor in found.items() if factor}

    def plus(self, a: Terms, b: Terms) -> Terms:
        found = dict(a)
        for monomial, factor in b.items():
            self._spend(factor, factor)
            found[monomial] = found.get(monomial, Fraction(0)) + factor
        return {monomial: factor for monomial, factor in found.items() if factor}

    def add(self, a: Quotient, b: Quotient) -> Quotient:
        decimal = a.decimal or b.decimal
        if a.below == b.below:
            return Quotient(self.plus(a.above, b.above), a.below, decimal)
        above = self.plus(self.times(a.above, b.below), self.times(b.above, a.below))
        return Quotient(above, self.times(a.below, b.below), decimal)

    def multiply(self, a: Quotient, b: Quotient) -> Quotient:
        return Quotient(self.times(a.above, b.above), self.times(a.below, b.below), a.decimal or b.decimal)

    def invert(self, a: Quotient) -> Quotient:
        if not a.above:
            raise _Beyond
        number = _rational(a.above)
        if number is not None:
            return Quotient({monomial: factor / number for monomial, factor in a.below.items()},
                            {_ONE: Fraction(1)}, a.decimal)  # fmt: skip
        return Quotient(a.below, a.above, a.decimal)

    def raised(self, base: Quotient, exponent: int) -> Quotient:
        if exponent < 0:
            base, exponent = self.invert(base), -exponent
        number = base.number
        if number is not None:
            if abs(number) != 1 and _size(number) * exponent > _BITS:
                raise _Beyond
            return Quotient(_constant(number**exponent).above, {_ONE: Fraction(1)}, base.decimal)
        if exponent > _HIGHEST:
            raise _Beyond
        result = _constant(1)
        while exponent:
            if exponent & 1:
                result = self.multiply(result, base)
            exponent >>= 1
            if exponent:
                base = self.multiply(base, base)
        return result._replace(decimal=result.decimal or base.decimal)

    def of(self, node: Node) -> Quotient:
        """The value of a tree.

        Raises:
            _Beyond: it has none here, or one that takes too long.
        """
        if node.head in {"number", "decimal"}:
            assert isinstance(node.value, Fraction)
            if _size(node.value) > _BITS:
                raise _Beyond
            return _constant(node.value)._replace(decimal=node.head == "decimal")
        if node.head == "symbol":
            return _symbol(str(node.value))
        if node.head == "i":
            return Quotient({(-1, ()): Fraction(1)}, {_ONE: Fraction(1)}, False)
        if node.head in {"e", "pi"}:
            return _symbol(f"\\{node.head}")
        operation = _OPERATIONS.get(node.head)
        if operation is None:
            raise _Beyond
        return operation(self, *node.args)


def _sum(work: _Evaluation, *args: Node) -> Quotient:
    total = work.of(args[0])
    for one in args[1:]:
        total = work.add(total, work.of(one))
    return total


def _product(work: _Evaluation, *args: Node) -> Quotient:
    total = work.of(args[0])
    for one in args[1:]:
        total = work.multiply(total, work.of(one))
    return total


def _fraction(work: _Evaluation, above: Node, below: Node) -> Quotient:
    return work.multiply(work.of(above), work.invert(work.of(below)))


def _power(work: _Evaluation, base: Node, exponent: Node) -> Quotient:
    power = work.of(exponent).number
    if power is None:
        raise _Beyond
    value = work.of(base)
    if power.denominator == 1:
        return work.raised(value, power.numerator)
    number = value.number
    if number is None or number < 0 or power.denominator > 60 or value.decimal:
        raise _Beyond
    return work.raised(_rooted(work, number, power.denominator), power.numerator)


def _root(work: _Evaluation, radicand: Node, index: Node) -> Quotient:
    value, degree = work.of(radicand), work.of(index).number
    number = value.number
    if number is None or degree is None or degree.denominator != 1 or not 1 < degree <= 60:
        raise _Beyond
    found = _rooted(work, abs(number), int(degree))
    found = found._replace(decimal=value.decimal)
    if number >= 0:
        return found
    if degree % 2:
        return work.multiply(_constant(-1), found)  # the real root
    if degree != 2:
        raise _Beyond
    return work.multiply(Quotient({(-1, ()): Fraction(1)}, {_ONE: Fraction(1)}, False), found)


def _rooted(work: _Evaluation, number: Fraction, degree: int) -> Quotient:
    above, below = _exact_root(number.numerator, degree), _exact_root(number.denominator, degree)
    if above is not None and below is not None:
        return _constant(Fraction(above, below))
    if degree == 4:
        inner = _exact_root(number.numerator, 2), _exact_root(number.denominator, 2)
        if None in inner:
            raise _Beyond
        return _rooted(work, Fraction(inner[0] or 0, inner[1] or 1), 2)
    if degree != 2:
        raise _Beyond
    outside, inside = _square_free(number.numerator * number.denominator)
    return Quotient({(inside, ()): Fraction(outside, number.denominator)}, {_ONE: Fraction(1)}, False)


def _exact_root(value: int, degree: int) -> int | None:
    if value < 2:
        return value
    if value.bit_length() > _BITS:
        raise _Beyond
    if degree == 2:
        root = math.isqrt(value)
    else:
        low, high = 1, 1 << (value.bit_length() // degree + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
        root = low
    return root if root**degree == value else None


@lru_cache(maxsize=4096)
def _square_free(value: int) -> tuple[int, int]:
    """`a` and square-free `b` with value = a²b."""
    if value > _FACTORED:
        raise _Beyond
    outside, inside, divisor = 1, 1, 2
    while divisor * divisor <= value and divisor <= 10_000:
        power = 0
        while value % divisor == 0:
            value //= divisor
            power += 1
        outside *= divisor ** (power // 2)
        inside *= divisor ** (power % 2)
        divisor += 1 if divisor == 2 else 2
    root = math.isqrt(value)
    return (outside * root, inside) if root * root == value else (outside, inside * value)


def _whole(work: _Evaluation, node: Node, most: int) -> int:
    number = work.of(node).number
    if number is None or number.denominator != 1 or not 0 <= number <= most:
        raise _Beyond
    return int(number)


def _absolute(work: _Evaluation, node: Node) -> Quotient:
    value = work.of(node)
    number = value.number
    if number is not None:
        return _constant(abs(number))._replace(decimal=value.decimal)
    below = _rational(value.below)
    if below is None or set(value.above) - {_ONE, (-1, ())}:
        raise _Beyond
    squares = sum((factor * factor for factor in value.above.values()), Fraction(0))
    return _rooted(work, squares / (below * below), 2)


def _rounded(to: Callable[[Fraction], int]) -> Callable[[_Evaluation, Node], Quotient]:
    def operation(work: _Evaluation, node: Node) -> Quotient:
        number = work.of(node).number
        if number is None:
            raise _Beyond
        return _constant(to(number))

    return operation


def _among(choose: Callable[..., int]) -> Callable[..., Quotient]:
    def operation(work: _Evaluation, *args: Node) -> Quotient:
        numbers = [work.of(one).number for one in args]
        if any(number is None or number.denominator != 1 for number in numbers):
            raise _Beyond
        return _constant(choose(*[int(number or 0) for number in numbers]))

    return operation


def _binomial(work: _Evaluation, above: Node, below: Node) -> Quotient:
    return _constant(math.comb(_whole(work, above, _LARGEST_FACTORIAL), _whole(work, below, _LARGEST_FACTORIAL)))


_OPERATIONS: dict[str, Callable[..., Quotient]] = {
    "sum": _sum,
    "product": _product,
    "negate": lambda work, node: work.multiply(_constant(-1), work.of(node)),
    "fraction": _fraction,
    "power": _power,
    "root": _root,
    "abs": _absolute,
    "factorial": lambda work, node: _constant(math.factorial(_whole(work, node, _LARGEST_FACTORIAL))),
    "binomial": _binomial,
    "floor": _rounded(math.floor),
    "ceil": _rounded(math.ceil),
    "gcd": _among(math.gcd),
    "lcm": _among(math.lcm),
    "max": _among(max),
    "min": _among(min),
}


@lru_cache(maxsize=16384)
def exact(text: str) -> Quotient | None:
    """The exact value of a formula in normal form, or None where it has none, or one that takes too long."""
    node = tree(text)
    if node is None:
        return None
    try:
        found = _Evaluation().of(node)
    except (_Beyond, RecursionError, ZeroDivisionError, OverflowError):
        return None
    return found if found.below else None


def same(a: Quotient, b: Quotient) -> bool | None:
    """Whether two values are equal, exactly; None where finding out takes too long."""
    one, other = a.key, b.key
    if one is not None and other is not None:
        return one == other
    try:
        work = _Evaluation()
        return work.times(a.above, b.below) == work.times(b.above, a.below)
    except _Beyond:
        return None
