r"""Extraction: every sign of an answer, nested and broken boxes, linear time on anything."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.answers import extract


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{42}", "42"),
        (r"\boxed{1} and later \boxed{2} apples, then \boxed{3}.", "3"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\text{a } \{1, 2\}}", r"\text{a } \{1, 2\}"),
        (r"\boxed 5", "5"),
        (r"\fbox{7}", "7"),
        (r"\boxed{12} and then \boxed{13", "13"),
        (r"\boxed{x + \boxed{5}", "5"),
        (r"\boxed{1} and \boxed{2}", "1; 2"),
        (r"\[ \boxed{-2} \quad \text{and} \quad \boxed{1} \]", "-2; 1"),
        ("so he has 3 left\n#### 18", "18"),
        ("The final answer is: $x = 3$. I hope it is correct.", "x = 3"),
        ("**Answer:** 42", "42"),
        ("The answer is 3.14.", "3.14"),
        ("Final Answer: The largest $n$ is 34.", "34"),
        ("The answer is (B) because", "B"),
        ("therefore option C", "C"),
        (r"Interim \boxed{255}. Final Answer: The final answer is $10,455$. I hope it is correct.", "10,455"),
        (r"Hence $x \geq 5$ holds.", r"x \geq 5"),
        ("She pays $10,200 + $255 = $10,455.", "10,455"),
        ("about 1,234.5 m", "1,234.5"),
        (r"no answer in \boxed{", None),
        ("no idea", None),
        ("", None),
    ],
)
def test_auto(text: str, answer: str | None) -> None:
    assert extract(text) == answer


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("boxed", r"#### 3 \boxed{4}", "4"),
        ("boxed", "#### 3", None),
        ("gsm8k", r"\boxed{4}" + "\n#### 3", "3"),
        ("choice", r"\boxed{\text{(B)}}", "B"),
        ("choice", "the answer is (C).", "C"),
        ("number", r"\boxed{x = 12}", "12"),
        ("answer_is", r"the answer is 7, \boxed{8}", r"7, \boxed{8}"),
        ("verbatim", "  as it is ", "as it is"),
    ],
)
def test_named(name: str, text: str, answer: str | None) -> None:
    assert tts.plugins().resolve("extractor", name)(text) == answer


@given(st.text(alphabet=st.sampled_from(list(r"\boxed{}$()[]#answer is:0123456789.,xAB" + "\n ")), max_size=300))
def test_never_raises(text: str) -> None:
    for plugin in tts.plugins().all("extractor"):
        if plugin.distribution != "ttscale":
            continue
        found = tts.plugins().resolve("extractor", plugin.entry.name)(text)
        assert found is None or found


@pytest.mark.parametrize(
    "unit",
    ["a", "(", "{", " ", "1", "\\", "$", r"\boxed{", r"\boxed{1} ", r"\(", "answer is ", "1,", "\n", "#", "$x$ and "],
)
def test_linear_on_long_text(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.perf_counter()
    extract(text)
    assert time.perf_counter() - start < 1.0
