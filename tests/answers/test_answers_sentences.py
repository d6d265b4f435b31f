"""What a sentence states, what only tells more of it, and notations that say a plain thing in other words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tts.answers import _cues, extract, fast_equal, find_answer
from tts.answers._notation import renoted

RESPONSES = Path(__file__).resolve().parents[1] / "data" / "responses.jsonl"


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("It takes her 500 minutes, or 8 hours and 20 minutes.", "500"),
        ("Mark has 16 marbles, which is 4 more than the 12 Jane has.", "16"),
        ("Hence, the least value of $n$ is $12$, attained when $a = 3$ and $b = 4$.", "12"),
        ("The minimum is attained at x=2, where f(2)=5; thus the minimum value is 5.", "5"),
        ("The train needs 21 minutes to reach station 7.", "21"),
        ("Since he was born in 1993, he is 31 in 2024.", "31"),
        ("Hence 99 is the largest two-digit multiple of 9.", "99"),
        ("He earns $2.5 million.", "2.5 million"),
        ("The train arrives at 9:45.", "9:45"),
        ("The vertex is at (2, -1).", "(2, -1)"),
        ("The cubes are 1331 and 1728.", "1331 and 1728"),
        ("The sum is 50. $\\blacksquare$", "50"),
        ("The sum is 44.\n\n```python\nprint(4*11)\n```\n", "44"),
        ("Thus x = 20.\n\n*Note: with $x+4$ it would be 16.*", "20"),
        ("Le prix total est de 12 000 euros.", "12 000"),
        ("100 days after Wednesday is Friday.", "Friday"),
        ("No, they are not parallel.", "No"),
        ("The equation has no solution.", "no solution"),
        ("The curve is a **parabola**.", "parabola"),
        ("Zoey is a knave, and Oliver is a knight.", None),
    ],
)
def test_the_last_sentence_states_one_thing(response: str, answer: str | None) -> None:
    assert extract(response) == answer


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        (r"\SI{9.8}{\newton}", r"9.8 \text{ newton}"),
        (r"\num{1234}", "1234"),
        (r"{10 \choose 3}", r"\binom{10}{3}"),
        (r"11,\! 111,\! 100", "11,111,100"),
        (r"(12,\, 345)", r"(12,\, 345)"),
        (r"2\mathbf{i} - \mathbf{j} + 4\mathbf{k}", "(2,-1,4)"),
        (r"2\mathbf{i} + 4\mathbf{v}", r"2\mathbf{i} + 4\mathbf{v}"),
        (r"2x = 6 \implies x = 3", "x = 3"),
        (r"p \Rightarrow q", r"p \Rightarrow q"),
        (r"\mathbf{\frac{3}{4}}", r"\frac{3}{4}"),
        ("3 to 2", "3:2"),
        ("All real numbers", r"(-\infty,\infty)"),
    ],
)
def test_another_notation_of_a_plain_thing(written: str, plain: str) -> None:
    assert renoted(written) == plain


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("720", "6! = 720", True),
        ("720", "5! = 120", False),
        (r"36\pi", r"36\pi \text{ square units}", True),
        (r"2.5 \text{ million dollars}", "2500000", True),
        (r"\frac{x^3}{3} + C", r"\frac{x^3}{3} + c", True),
        ("C", "c^2", False),
        (r"a^2+c", r"a^2+C", False),
        (r"\lim_{x \to 0} \frac{\sin x}{x} = 1", "1", True),
        (r"\lim_{x \to 0} \frac{\sin x}{x} = 1", "2", False),
        ("(1,2),(3,4),(5,6)", "(3,4),(5,6),(1,2)", True),
        ("x=2, y=3", "(3,2)", False),
        ("x=-5, p=14/3", "-5, 14/3", True),
        (r"\text{DNE}", "does not exist", True),
        ("Zoey is a knave", "Liam is a knave", False),
    ],
)
def test_told_equal_only_where_it_is_one_thing(one: str, other: str, equal: bool) -> None:
    assert bool(fast_equal(one, other)) == bool(fast_equal(other, one)) == equal


def test_announcements_are_found_where_the_pattern_finds_them() -> None:
    texts = [json.loads(line)["prediction"] for line in RESPONSES.read_text("utf-8").splitlines()]
    for text in texts:
        for one in (text, f"**Answer:** {text}\nMy answer is {text}", f"# Final result: {text}\nA: {text}"):
            found = [match.span() for match in _cues._english_cues(one, one.lower())]
            if one.isascii():
                assert found == [match.span() for match in _cues._ENGLISH_CUE.finditer(one)]


def test_a_thought_after_the_answer_takes_nothing_from_it() -> None:
    assert extract("<think>30</think>\n**Answer**: 31\n<think>Or 29?</think>") == "31"
    assert find_answer("<think>30</think>\n\n<think>29?</think>").found is None
