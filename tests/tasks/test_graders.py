from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.tasks.graders import _matched, items_of, read_gold


def verdict(grader: str, gold: str, answer: str | None) -> bool:
    judge = tts.plugins().resolve("grader", grader)()

    async def work() -> bool:
        try:
            return bool((await judge.grade([(gold, answer)]))[0])
        finally:
            await judge.aclose()

    return tts.run_sync(work)


@pytest.mark.parametrize("answer", ["B", "(B)", "b.", r"\text{(B)}", "Option B", "B)"])
def test_a_letter_in_any_dress(answer: str) -> None:
    assert verdict("choice", "B", answer)


@pytest.mark.parametrize("answer", ["C", None, "BB", "", "B or C", "12"])
def test_another_letter_or_none_is_wrong(answer: str | None) -> None:
    assert not verdict("choice", "B", answer)


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("4.2 ± 0.1", "4.3", True),
        ("4.2 ± 0.1", "4.31", False),
        ("4.2 ± 1e-1", "4.1", True),
        ("4.2 +- 0.1", r"\frac{43}{10}", True),
        ("200 ± 1%", "198", True),
        ("200 ± 1%", "197.9", False),
        ("4.2 ± 0.1", "4.2%", True),
        ("-3 ± 0.5", "3", False),
        ("4.2", "4.2", True),
        ("4.2", "4.3", False),
        ("4.2 ± 0.1", None, False),
        ("4.2 ± 0.1", "about four", False),
    ],
)
def test_a_number_within_the_tolerance(gold: str, answer: str | None, right: bool) -> None:
    assert verdict("numeric", gold, answer) is right


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("$3$,$-3$", "-3, 3", True),
        ("$3$,$-3$", r"\{-3, 3\}", True),
        ("$3$,$-3$", r"\pm 3", True),
        ("$3$,$-3$", "-3 and 3", True),
        ("$3$,$-3$", "3", False),
        ("$3$,$-3$", "3, -3, 0", False),
        ("1, 1, 2", "1, 2, 2", False),
        ("(1,2),(3,4)", "(3,4), (1,2)", True),
        ("(1,2),(3,4)", "(2,1), (3,4)", False),
        ("2, 5 ± 0.1", "5.05, 1.95", True),
        ("2, 5 ± 0.1", "5.05, 2.2", False),
        ("[0,1)", "[0,1)", True),
        ("1,000", "1000", True),
        ("3", None, False),
    ],
)
def test_several_answers_in_any_order(gold: str, answer: str | None, right: bool) -> None:
    assert verdict("answers", gold, answer) is right


def test_items_are_split_outside_brackets_only() -> None:
    assert items_of(r"(1, 2); [0, 1) \text{ and } f(x, y)") == ["(1, 2)", "[0, 1)", "f(x, y)"]


def test_a_plus_minus_of_the_answer_is_no_tolerance() -> None:
    assert read_gold(r"1 \pm 2") == (r"1 \pm 2", None, False)
    assert read_gold("± 2").tolerance is None


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_matching_agrees_with_trying_every_permutation(equal: list[list[bool]]) -> None:
    orders = itertools.permutations(range(len(equal)))
    assert _matched(equal) is any(all(equal[row][column] for row, column in enumerate(order)) for order in orders)


def test_a_function_of_the_users_grades(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def same(gold, answer):\n    return gold.lower() == answer.lower()\n")
    problems = tmp_path / "sets.jsonl"
    problems.write_text('{"problem": "Say yes.", "answer": "YES", "candidates": ["yes", "no"]}\n')
    done = tts.compare(problems, strategies=["first"], k=1, extractor="verbatim", grader=f"{path}:same")
    assert [one.answer for one in done.results] == ["yes", "no"]
    assert done.correct("first") == [1.0, 0.0]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no_such_module:same", "cannot be imported: ModuleNotFoundError"),
        ("json:no_such_function", "there is no function 'no_such_function' in 'json'"),
        ("missing.py:same", "there is no file 'missing.py'"),
    ],
)
def test_a_function_that_is_not_there_is_one_sentence(reference: str, message: str) -> None:
    with pytest.raises(tts.ConfigError, match=message):
        tts.compare([], grader=reference)
