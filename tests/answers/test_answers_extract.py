r"""Extraction: every sign of an answer, nested and broken boxes, linear time on anything."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.answers import extract, find_answer
from tts.answers.extraction import choice


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
    ("text", "answer", "rule"),
    [
        ('```json\n{"answer": 9}\n```', "9", "field"),
        ('{"answer": "42", "confidence": 0.95}', "42", "field"),
        ('{"reasoning": "3+4=7", "answer": 7}', "7", "field"),
        ("{'answer': '42', 'unit': 'cm', 'n': 3}", "42", "field"),
        ('{"answer": "\\\\frac{1}{2}"}', r"\frac{1}{2}", "field"),
        ('{"final_answer": [1, 2], "answer": 5}', "1, 2", "field"),
        ("x <solution>7</solution> y", "7", "field"),
        ("<answer> The sum is 42 </answer>", "42", "field"),
        ("final_answer: 12\nconfidence: 3", "12", "saying"),
        ("The answer is\n\\begin{equation*}\n42\n\\end{equation*}", "42", "saying"),
        ("**Answer:** Bo has 23 jewels.", "23", "saying"),
        ("Answer: Ann spends $75.00 on tea over 30 days.", "75.00", "saying"),
        ("Answer: There are 7 apples in 3 baskets.", "7", "saying"),
        ("\\boxed{3} hmm wait.\n\nThe answer is 5.", "5", "saying"),
        ("So \\boxed{\\frac{1}{2}", r"\frac{1}{2}", "box"),
        ("The solutions are\n\\boxed{3}\n\\boxed{5}\n\\boxed{7}", "3; 5; 7", "box"),
        (r"we get \dfrac{9}{7}.", r"\dfrac{9}{7}", "formula"),
        ("She makes 18.\n#### 18\n\nQuestion: Tom has 3?\nAnswer: 5\n#### 5", "18", "####"),
        ("The answer is 42<\uff5cend\u2581of\u2581sentence\uff5c>", "42", "saying"),
        ("The answer is 42</s>", "42", "saying"),
        ("[THINK]maybe \\boxed{41}[/THINK]It is 42.", "42", "number"),
        ("\u7b54\u6848\uff1a42. (7 + 35, 2 ways)", "42", "saying"),
        ("\u041e\u0442\u0432\u0435\u0442: 42. (7 + 35, 2 ways)", "42", "saying"),
        ("R\u00e9ponse : elle gagne 18 dollars en 3 jours.", "18", "saying"),
        ("\u0110\u00e1p \u00e1n: 42. (7 + 35, 2 ways)", "42", "saying"),
        ("\u0627\u0644\u0625\u062c\u0627\u0628\u0629 \u0647\u064a 42. (7 + 35, 2 ways)", "42", "saying"),
    ],
)
def test_what_models_write(text: str, answer: str, rule: str) -> None:
    found = find_answer(text).found
    assert found is not None
    assert (found.answer, found.rule) == (answer, rule)


LETTERS = [
    "**C**", r"\boxed{\mathbf{C}}",
    "The correct option is C", "\u7b54\u6848\uff1aC", "The answer is c", "C) 42", "[C]",
    "Option C",
    "The best answer is (C).", "Answer - C", "Answer:\n\nC", "Final answer: **C. 42**", "So C.",
    "I'd say C",
    "The correct choice is **C**: 42", "Hence, option C is correct", r"$\boxed{\text{C}}$",
    "My choice: C", "I choose C.",
    "A is wrong, B is wrong, D is wrong. So it must be C.", "<answer>(C)</answer>", '{"answer": "(C) 42"}', "c)",
    r"\boxed{\text{(C) } 17}", "\uff23", "\u6545\u9009C\u3002",
    "Therefore, C is the correct answer.", "I would go with C.",
]  # fmt: skip


@pytest.mark.parametrize("text", LETTERS)
def test_a_letter_in_every_dress(text: str) -> None:
    assert choice(text) == "C"


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("ANSWER: A, B, and C", "A, B, C"), ("Answer: A and C", "A, C"), ("The answer is ABD.", "A, B, D"),
        ("Consider triangle ABC.", None), ("A good idea.", None), ("None of these", None), ("The answer is 42.", None),
        ("Cannot say", None), ("A perfect answer cannot be found here.", None), ("Answer: Don't know", None),
    ],
)  # fmt: skip
def test_several_letters_or_none(text: str, letters: str | None) -> None:
    assert choice(text) == letters


def test_an_extraction_tells_its_place_and_its_rivals() -> None:
    text = "<think>\\boxed{1}</think>First \\boxed{3}. No: \\boxed{5}."
    extraction = find_answer(text)
    assert extraction.found is not None
    assert text[extraction.found.start : extraction.found.end] == "\\boxed{5}"
    assert [(one.answer, one.rule) for one in extraction.rivals] == [("3", "box")]
    assert extraction.contradicted
    assert not find_answer("so 5").contradicted
    assert find_answer("<think>The answer is \\boxed{42}.") == (None, ())


@given(
    st.integers(0, 10**6), st.sampled_from(["{}", "\\boxed{{{}}}", "The answer is {}.", "#### {}", '{{"answer": {}}}'])
)
def test_nothing_inside_thinking_counts(number: int, form: str) -> None:
    said = form.format(number)
    for opening, closing in (("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>")):
        assert extract(f"{opening}maybe \\boxed{{-1}} or the answer is -2{closing}\n{said}") == str(number)


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
    start = time.process_time()
    extract(text)
    assert time.process_time() - start < 1.0
