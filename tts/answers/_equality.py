"""Equality of two readings: three-valued, with the algebra supplied by the caller.

True, False, or None where only algebra can tell. Exact numbers and formulas are compared exactly, decimals at six
places; nothing exact is equal because floating numbers agree.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

from tts.answers._exact import Quotient, exact, same
from tts.answers._fingerprint import differ
from tts.answers._regions import Piece, region
from tts.answers._units import compatible, known
from tts.answers.kinds import Based, Expression, Huge, Measured, Named, Number, Reading, Series, Word
from tts.answers.reading import EQUALS

Algebra = Callable[[str, str], bool | None]

DECIMALS = 6  # places to which a decimal is compared, Math-Verify's default
_SMALLEST_AGREEMENT = Fraction(1, 1000)  # relative: 0.0000012 is not 0.0000014 although both round to 0.000001
_LABEL = re.compile(r"[A-Z]{2,}")  # points, not a product
_ORDERING = re.compile(r"[<>]|\\(?:le|ge)(?![a-zA-Z])")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_LETTER_C = re.compile(r"(\\[a-zA-Z]+)|c")
_BOUND = re.compile(r"_\{[^{}]*\}")
_ALGEBRAIC_SET = 40  # elements of an unordered series that are matched by algebra
_ALGEBRAIC = re.compile(r"\\(?:pm|mp|cup|cap|in|le|ge|ne|setminus|begin|mathbb|mid|infty|sum)(?![a-zA-Z])|[<>|]")


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
    if _order_is_free(a, b):
        return _unordered_equal(a, b, algebra)
    if len(a.items) != len(b.items):
        return False
    verdicts = [compare(x, y, algebra) for x, y in zip(_in_order(a, b), _in_order(b, a), strict=True)]
    return False if False in verdicts else None if None in verdicts else True


def _order_is_free(a: Series, b: Series) -> bool:
    """Where neither is a tuple; the values of `x=1, y=2` alone stand in its order."""
    if "{}" in (a.brackets, b.brackets):
        return True
    if not (a.unordered and b.unordered):
        return False
    names = [len({item.name for item in one.items if isinstance(item, Named)}) for one in (a, b)]
    return not (max(names) > 1 and min(names) == 0)


def _in_order(series: Series, other: Series) -> Sequence[Reading]:
    """The items; those of `y=2, x=1` in the order of their names, where the other series has none."""
    names = [item.name for item in series.items if isinstance(item, Named)]
    if not _alphabetical(names):
        return series.items
    if len(set(names)) < len(series.items) or any(isinstance(item, Named) for item in other.items):
        return series.items
    return sorted(series.items, key=lambda item: item.name if isinstance(item, Named) else "")


def _alphabetical(names: list[str]) -> bool:
    """Whether they follow each other in the alphabet, or by their index, as `x` and `y` do, `x` and `p` do not."""
    ordered = sorted(names)
    return all(one[:-1] == two[:-1] and ord(two[-1]) - ord(one[-1]) <= 1 for one, two in pairwise(ordered))


def _unordered_equal(a: Series, b: Series, algebra: Algebra) -> bool | None:
    left, right = Counter(a.items), Counter(b.items)
    if "{}" in (a.brackets, b.brackets):
        left, right = Counter(set(a.items)), Counter(set(b.items))
    rest, others = list((left - right).elements()), list((right - left).elements())
    if len(rest) != len(others):
        return False
    if len(rest) > _ALGEBRAIC_SET:
        return False
    forward = _matched(rest, list(others), algebra)
    if forward is None and _matched(others, list(rest), algebra) is False:
        return False  # an item of the other side has no partner
    return forward


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


def _regions_equal(a: Series | Expression, b: Series | Expression, algebra: Algebra) -> bool:
    r"""`x\le 2 or x\ge 5` against `(-\infty,2]\cup[5,\infty)`: the same pieces in some order."""
    one = region(a)
    other = region(b) if one is not None else None
    if one is None or other is None or len(one) != len(other):
        return False
    rest = list(other)
    for piece in one:
        match = next((two for two in rest if _piece_equal(piece, two, algebra)), None)
        if match is None:
            return False
        rest.remove(match)
    return True


def _piece_equal(a: Piece, b: Piece, algebra: Algebra) -> bool:
    if (a.low_in, a.high_in) != (b.low_in, b.high_in):
        return False
    return bool(compare(a.low, b.low, algebra) and compare(a.high, b.high, algebra))


def _measured_equal(a: Measured, b: Measured, algebra: Algebra) -> bool | None:
    """Two values with units: after conversion where both measure one thing; else units must be one."""
    one, other = known(a.unit), known(b.unit)
    if a.unit != b.unit and one is not None and other is not None and one.dimension == other.dimension:
        if not (isinstance(a.value, Number) and isinstance(b.value, Number)):
            return False
        if isinstance(a.value.value, Huge) or isinstance(b.value.value, Huge):
            return False
        decimal = a.value.decimal or b.value.decimal
        return _close(a.value.value * one.size / other.size, b.value.value, decimal=decimal)
    return compare(a.value, b.value, algebra) if compatible(a.unit, b.unit) else False


def _measured_equals_one(a: Measured, b: Reading, algebra: Algebra) -> bool | None:
    """`8 cm` against `8`: the unit is implied. `8 m` against `m+7m`: the unit is a symbol after all."""
    if isinstance(b, Expression) and (a.lone or "\\text" in b.text):
        if a.text.replace(" ", "") == b.text.replace(" ", ""):
            return True
        if a.lone and re.search(rf"(?<![a-zA-Z\\]){a.unit}(?![a-zA-Z])", b.text):
            return _formulas_equal(a.text, b.text, algebra)
    return compare(a.value, b, algebra)


def _based_equal(a: Based, b: Reading) -> bool | None:
    """Digits in a base against digits, or against the number that they stand for."""
    if isinstance(b, Based):
        return (a.base, a.digits) == (b.base, b.digits) or (a.base != b.base and a.value == b.value)
    if isinstance(b, Number) and not b.percent:
        return b.value in (a.value, int(a.digits)) if a.digits.isdigit() else b.value == a.value
    return isinstance(b, Expression | Word) and b.text.strip("()").upper() == a.digits


def _named_equal(a: Named, b: Named, algebra: Algebra) -> bool | None:
    if a.name == b.name:
        return compare(a.value, b.value, algebra)
    if isinstance(a.value, Number | Word) and isinstance(b.value, Number | Word):
        return False
    return algebra(a.text, b.text)


def _series_equals_one(a: Series, b: Reading, algebra: Algebra) -> bool | None:
    """`1,22` as a decimal, or one value written several ways: `1.8 or 9/5`."""
    if a.number is not None and isinstance(b, Number) and _numbers_equal(a.number, b):
        return True
    if isinstance(b, Expression) and _LABEL.fullmatch(b.text) and all(isinstance(one, Word) for one in a.items):
        return sorted(one.word for one in a.items if isinstance(one, Word)) == sorted(b.text.casefold())
    if a.brackets == "" and isinstance(b, Expression) and _ORDERING.search(b.text) and not _ORDERING.search(a.text):
        return False  # values are not what lies between them
    verdicts = [compare(item, b, algebra) for item in a.items] if len(a.items) <= _ALGEBRAIC_SET else [False]
    if a.unordered and False not in verdicts:
        return None if None in verdicts else True
    return False if isinstance(b, Number | Word) else algebra(a.text, b.text)


def _mixed_equal(a: Reading, b: Reading, algebra: Algebra) -> bool | None:
    """Readings of two kinds."""
    if isinstance(b, Measured):
        a, b = b, a
    if isinstance(a, Measured):
        return _measured_equals_one(a, b, algebra)
    if isinstance(b, Based):
        a, b = b, a
    if isinstance(a, Based) and not isinstance(b, Named | Series):
        return _based_equal(a, b)
    if isinstance(b, Named):
        a, b = b, a
    if isinstance(a, Named):
        relation = isinstance(b, Expression) and EQUALS.search(b.text)
        return algebra(a.text, b.text) if relation else compare(a.value, b, algebra)
    if isinstance(b, Series):
        a, b = b, a
    if isinstance(a, Series):
        return _series_equals_one(a, b, algebra)
    if isinstance(a, Expression) and isinstance(b, Expression | Number | Word):
        return _expression_equal(a, b, algebra)
    if isinstance(b, Expression):
        return _expression_equal(b, a, algebra)
    return False  # a number and a word


def _states(text: str) -> bool:
    r"""Whether it is an equation; the bound of `\sum_{k=1}^4 k` makes it none."""
    return EQUALS.search(_BOUND.sub("", text) if "_{" in text else text) is not None


def _expression_equal(a: Expression, b: Reading, algebra: Algebra) -> bool | None:
    if isinstance(b, Word) and a.text.casefold() == b.word:
        return True
    if _states(a.text) and not _states(b.text):
        return False
    return _formulas_equal(a.text, b.text, algebra)


def _formulas_equal(a: str, b: str, algebra: Algebra) -> bool | None:
    """Two formulas by their exact values where they have them, else by algebra."""
    a, b = _of_one_constant(a, b)
    one, other = exact(a), exact(b)
    if one is not None and other is not None:
        verdict = _values_equal(one, other)
        if verdict is not None:
            return verdict
    return False if differ(a, b) else algebra(a, b)


def _of_one_constant(a: str, b: str) -> tuple[str, str]:
    """With one letter for a constant that is `c` in one and `C` in the other, as that of an integral is."""
    if ("C" in a) == ("C" in b):
        return a, b
    small, large = (b, a) if "C" in a else (a, b)
    one, other = (set(_COMMAND.sub("", text)) for text in (small, large))
    if "c" not in one or "c" in other or {*one, *other} & set("abAB") or one - {"c"} != other - {"C"}:
        return a, b
    if not any(sign.isalpha() for sign in one - {"c"}):
        return a, b  # it is all that there is
    small = _LETTER_C.sub(lambda match: match[1] or "C", small)
    return (large, small) if "C" in a else (small, large)


def _values_equal(one: Quotient, other: Quotient) -> bool | None:
    if not (one.decimal or other.decimal):
        return same(one, other)
    x, y = one.number, other.number
    if x is not None and y is not None:
        return _close(x, y, decimal=True)
    return True if same(one, other) else None


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
    if isinstance(a, Series | Expression) and isinstance(b, Series | Expression) and _regions_equal(a, b, algebra):
        return True
    if isinstance(a, Measured) and isinstance(b, Measured):
        return _measured_equal(a, b, algebra)
    if isinstance(a, Based) and isinstance(b, Based):
        return _based_equal(a, b)
    if isinstance(a, Named) and isinstance(b, Named):
        return _named_equal(a, b, algebra)
    if isinstance(a, Expression) and isinstance(b, Expression):
        return _expressions_equal(a, b, algebra)
    return _mixed_equal(a, b, algebra)


def _expressions_equal(a: Expression, b: Expression, algebra: Algebra) -> bool | None:
    if a.text.replace(" ", "") == b.text.replace(" ", ""):
        return True
    if _states(a.text) != _states(b.text):
        return False
    if _LABEL.fullmatch(a.text) and _LABEL.fullmatch(b.text):
        return False
    return _formulas_equal(a.text, b.text, algebra)
