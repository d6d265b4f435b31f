r"""Exact values, fingerprints: what they prove agrees with rational arithmetic, and they prove nothing else."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hostile import hostile
from hypothesis import given
from hypothesis import strategies as st

from tts.answers import fast_equal
from tts.answers._exact import exact, same
from tts.answers._fingerprint import differ
from tts.answers._formula import tree

SMALL = st.integers(-30, 30)


@st.composite
def arithmetic(draw: st.DrawFn, depth: int = 3) -> tuple[str, Fraction]:
    """A formula in LaTeX and its value."""
    kind = draw(st.sampled_from(["number", "sum", "product", "fraction", "power"])) if depth else "number"
    if kind == "number":
        value = draw(st.integers(0, 40))
        return str(value), Fraction(value)
    if kind == "power":
        text, value = draw(arithmetic(depth - 1))
        power = draw(st.integers(0, 3))
        return f"({text})^{{{power}}}", value**power
    (a, x), (b, y) = draw(arithmetic(depth - 1)), draw(arithmetic(depth - 1))
    if kind == "fraction":
        return (rf"\frac{{{a}}}{{{b}}}", x / y) if y else (f"({a})", x)
    sign = draw(st.sampled_from("+-"))
    return (f"({a}{sign}({b}))", x + y if sign == "+" else x - y) if kind == "sum" else (rf"({a})\cdot({b})", x * y)


@given(arithmetic())
def test_rational_formulas_have_their_value(made: tuple[str, Fraction]) -> None:
    text, value = made
    found = exact(text)
    assert found is not None
    assert found.number == value


@given(arithmetic(), st.integers(1, 10**6))
def test_a_difference_however_small_is_seen(made: tuple[str, Fraction], power: int) -> None:
    text, _ = made
    assert fast_equal(text, f"{text}+0") is True
    assert fast_equal(f"{text}+1", text) is False
    small = rf"{text}+\frac{{1}}{{2^{{{power % 2000 + 1}}}}}"
    assert fast_equal(small, text) is False


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (r"2^{100}", r"2^{100}+1"), (r"\frac{3^{100}-1}{2}", r"\frac{3^{100}+1}{2}"), (r"1-\frac{1}{2^{100}}", "1"),
        ("7^{100}-7", "7^{100}-1"), ("100!", "100!+1"), (r"\binom{60}{30}", r"\binom{60}{30}-1"), ("x+2^{-90}", "x"),
        (r"\sqrt{2}+10^{-40}", r"\sqrt{2}"), ("i", "-i"), ("3+4i", "3-4i"), ("|3+4i|", "-5"), ("(x-1)^2", "x^2+2x+1"),
    ],
)  # fmt: skip
def test_what_differs_by_little_differs(a: str, b: str) -> None:
    assert fast_equal(a, b) is False
    assert fast_equal(b, a) is False


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (r"\frac{1}{1+\sqrt{2}}", r"\sqrt{2}-1"), (r"\sqrt{6}-\sqrt{2}", r"\sqrt{2}(\sqrt{3}-1)"), ("(1+i)^2", "2i"),
        (r"\frac{1}{i}", "-i"), ("|3+4i|", "5"), (r"\sqrt[3]{-8}", "-2"), (r"\frac{x+1}{x^2-1}", r"\frac{1}{x-1}"),
        (r"\sqrt{-2}\sqrt{-3}", r"-\sqrt{6}"), (r"\binom{10}{3}", "120"), ("2^{1/2}", r"\sqrt{2}"), ("i^2", "-1"),
        (r"9\pi/4", r"\frac{9}{4}\pi"), ("2*sqrt(3)", r"2\sqrt{3}"), ("pi/2", r"\frac{\pi}{2}"), (r"\sqrt{-1}", "i"),
    ],
)  # fmt: skip
def test_what_is_one_value_is_equal(a: str, b: str) -> None:
    assert fast_equal(a, b) is True
    assert fast_equal(b, a) is True


@given(st.lists(SMALL, min_size=3, max_size=3), st.lists(SMALL, min_size=3, max_size=3))
def test_polynomials_are_told_by_their_coefficients(a: list[int], b: list[int]) -> None:
    forms = [f"({p})x^2+({q})x+({r})" for p, q, r in (a, b)]
    assert fast_equal(*forms) is (a == b)
    one, other = exact(f"({a[0]}x+{b[0]})({b[1]}x+({a[1]}))"), exact(forms[0])
    expanded = [a[0] * b[1], a[0] * a[1] + b[0] * b[1], b[0] * a[1]]
    assert one is not None
    assert other is not None
    assert same(one, other) is (expanded == a)


def test_a_fingerprint_proves_difference_only() -> None:
    assert differ(r"\sin(x)", r"\cos(x)")
    assert differ(r"\ln2", r"\ln3")
    assert not differ(r"\sin(x)^2+\cos(x)^2", "1+x-x")
    assert not differ(r"\ln8", r"3\ln2")
    assert not differ(r"\sin(x)", "0.5"), "a decimal may be rounded"


@pytest.mark.parametrize("text", ["f(x)", "1/2x", "2 3", "(", "x+", r"\sum_{k=1}^n k", "", "x,y", "1=1"])
def test_what_has_no_one_meaning_has_no_tree(text: str) -> None:
    assert tree(text) is None


def test_hostile_formulas_take_no_time() -> None:
    started = time.process_time()
    for _, text in hostile(200, 3):
        exact(text)
    for text in ("(1+x)^{2000}", "((x+1)^{99}+y)^{99}", "9^{9^{9}}", r"\sqrt{" * 20 + "2" + "}" * 20):
        exact(text)
    assert time.process_time() - started < 10
