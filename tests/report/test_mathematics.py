"""Mathematics of a page: what is taken for it, and what of it goes into the page."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tts.report import _mathematics
from tts.report._mathematics import formulas


def found(*texts: str) -> list[str]:
    return list(formulas(texts, ()))


def flat(tree: Any) -> Iterator[Any]:
    yield tree
    for child in tree[2:]:
        if isinstance(child, list):
            yield from flat(child)


def said(tree: Any) -> str:
    return "".join(one if isinstance(one, str) else said(one) for one in tree[2:])


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        (r"Let $x^2$ be \(y\), so \[z\] and $$w$$.", ["$x^2$", r"\(y\)", r"\[z\]", "$$w$$"]),
        (r"It is \boxed{\frac{1}{\sqrt{2}}}.", [r"\boxed{\frac{1}{\sqrt{2}}}"]),
        ("\\begin{align*}a&=b\\\\c&=d\\end{align*}", ["\\begin{align*}a&=b\\\\c&=d\\end{align*}"]),
        (r"Compute $ \frac{1}{31} \div 2 $ now.", [r"$ \frac{1}{31} \div 2 $"]),
        ("It costs $5 and $6, or US$7, $8/$9; $5+$6=$11.", []),
        (r"An escaped \$x\$ is money, $a b", []),
        ("first $5\nthen 6$ more", []),
        ("no mathematics at all", []),
    ],
)
def test_what_is_taken_for_mathematics(text: str, sources: list[str]) -> None:
    assert found(text) == sources


def test_answers_are_mathematics_where_they_look_like_it() -> None:
    assert list(formulas((), [r"\frac12", "x^2", "12", "Paris", None, "a_1"])) == [r"$\frac12$", "$x^2$", "$a_1$"]


def test_a_formula_is_mathml_as_nested_lists() -> None:
    (tree,) = formulas([r"$\frac{1}{x}$"], ()).values()
    assert tree == ["math", {}, ["mfrac", {}, ["mn", {}, "1"], ["mi", {}, "x"]]]
    (tree,) = formulas([r"\[\sin x \tag{1}\]"], ()).values()
    assert tree[1] == {"display": "block"}
    assert "sin" in said(tree)
    assert "(1)" in said(tree)
    (tree,) = formulas([r"$\text{a \textbf{b}}$"], ()).values()
    assert "b" in said(tree)


HOSTILE = (
    r"$\text{<script>hacked()</script>}$",
    r"$\href{javascript:hacked()}{x}$",
    r"$\hspace{1000000em} x$",
    r"$\rule{1000em}{1000em}$",
    r"$\def\a{\a\a}\a$",
    r"$\color{url(x)} x$",
    "$x_{\ud800}$",
    r"$\style{position:fixed}{x}$",
    r"$\class{bar}{x}$",
    r"$\includegraphics{http://example.org/x.png}$",
    r"$\unknown{x}$",
    r"$\frac{1}$",
)


def test_hostile_mathematics_is_text_or_left_out() -> None:
    for source, tree in formulas(HOSTILE, ()).items():
        json.dumps(tree)
        for element in flat(tree):
            assert _mathematics._ELEMENT.fullmatch(element[0]), source
            assert all(name == "style" or _mathematics._ATTRIBUTE.fullmatch(name) for name in element[1]), source
            assert "(" not in element[1].get("style", ""), source
            assert "000em" not in str(element[1]), source
    kept = formulas(HOSTILE, ())
    assert said(kept[r"$\text{<script>hacked()</script>}$"]) == "<script>hacked()</script>"
    assert r"$\href{javascript:hacked()}{x}$" not in kept
    assert r"$\unknown{x}$" not in kept


@pytest.mark.parametrize(
    "part",
    ["{", r"\sqrt{", r"\left(", "x^{", r"\begin{matrix}", r"\sqrt", r"\frac", "^", "x_", r"\text{", "-", "!", r"\not"],
)
@pytest.mark.parametrize("times", [20, 39, 45, 200, 900])
def test_depth_is_bounded_before_the_converter_that_bounds_it_not(part: str, times: int) -> None:
    """On a stack as small as a thread's may be: an overflow would end the process."""
    closing = {
        "{": "}",
        r"\sqrt{": "}",
        "x^{": "}",
        r"\left(": r"\right)",
        r"\begin{matrix}": r"\end{matrix}",
        r"\text{": "}",
    }
    texts = [rf"\({part * times}x{closing.get(part, '') * times}\)", rf"\({part * times}\)"]
    before = threading.stack_size(512 << 10)
    try:
        one = threading.Thread(target=found, args=texts)
        one.start()
    finally:
        threading.stack_size(before)
    one.join()


def test_marks_without_end_cost_little() -> None:
    started = time.process_time()
    found(*(mark * 5_000 for mark in ("\\(", "\\[", "$$ ", "$a ", "$\\a", "\\boxed{", "\\begin{align}", "\\boxed{{{{")))
    assert time.process_time() - started < 20


def test_without_the_converter_texts_are_as_written_and_a_warning_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_mathematics, "_converter", lambda: None)
    _mathematics._tell_missing.cache_clear()
    with caplog.at_level(logging.WARNING, "tts.report"):
        assert formulas(["$x$"], ()) == formulas(["$y$"], ()) == {}
        assert formulas(["none"], ()) == {}
    assert [one.getMessage() for one in caplog.records] == [
        "mathematics is shown as it is written; setting it needs math-core: pip install 'ttscale[report]'"
    ]
