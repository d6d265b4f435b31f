"""What a problem asks for decides how its answers are compared, alike for votes and grades."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import tts
from tts.answers import Answers, Expectation, expected

LIST = "Find all real solutions of the equation. Enter your answers separated by commas."
ORDERED = "List the three numbers in increasing order."
PERCENT = "What percent of the students passed?"
PROBABILITY = "What is the probability that it rains, as a common fraction?"
LENGTH = "What is the length of the side, in centimeters?"
BASE = "Write the number in base 2."
CHOICE = "What is 6 times 7?\n(A) 41\n(B) \\frac{85}{2}\n(C) 42\n(D) 43"
PAIR = "Find the ordered pair $(x,y)$."
INTERVAL = "Solve the inequality. Give your answer in interval notation."
GERMAN = "Ein Bauer hat 50 Felder mit je 25 Bäumen. Wie viele Bäume hat der Bauer?"
NEAREST = "Round to the nearest integer."


@pytest.fixture(scope="module")
def service() -> Iterator[Answers]:
    answers = Answers()
    yield answers
    answers.close()


@pytest.mark.parametrize(
    ("problem", "fields"),
    [
        (LIST, {"order": "free"}), (ORDERED, {"order": "kept"}), (PERCENT, {"share": "percent"}),
        (PROBABILITY, {"share": "number"}), (LENGTH, {"unit": "cm"}), (BASE, {"base": 2}), (NEAREST, {"whole": True}),
        (PAIR, {"brackets": "tuple"}), (INTERVAL, {"brackets": "interval"}), (GERMAN, {"points": True}),
        ("Cuántas manzanas tiene cada una de las niñas?", {"points": True}),
        ("Two intervals and an ordered pair of numbers", {}),
        ("What are x and y, respectively?", {"order": "kept"}), ("In order to win, what is needed?", {}),
        ("What is 2+2?", {}), ("", {}), ("How many hours does it take?", {"unit": "h"}),
        (CHOICE, {"choices": (("A", "41"), ("B", r"\frac{85}{2}"), ("C", "42"), ("D", "43"))}),
        (r"It is $\textbf{(A)}\ 3 \qquad \textbf{(B)}\ 4$", {"choices": (("A", "3"), ("B", "4"))}),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_read(problem: str, fields: dict[str, object]) -> None:
    assert expected(problem) == Expectation()._replace(**fields)  # type: ignore[arg-type]


CASES = [
    (LIST, "1,-2", "-2, 1", True), (ORDERED, "1,-2", "-2, 1", False), (PERCENT, "50", r"50\%", True),
    (PERCENT, "0.5", r"50\%", False), (PROBABILITY, r"50\%", "0.5", True), (PROBABILITY, r"50\%", "50", False),
    (LENGTH, "0.42 m", "42", True), (LENGTH, "42 m", "42", False), (BASE, "1011", "1011_2", True),
    (BASE, "1011_2", "11", False), (CHOICE, "C", "42", True), (CHOICE, "B", "42.5", True), (CHOICE, "C", "43", False),
    (PAIR, "(1,2)", "1<x<2", False), (INTERVAL, "(1,2)", "1<x<2", True), (PAIR, "(1,2)", "[1,2]", True),
    (INTERVAL, "(1,2)", "[1,2]", False), (PAIR, "(1,2)", "y=2, x=1", True), (PAIR, "(1,2)", "1, 2", True),
    (PAIR, "1, 2", "2, 1", False), (GERMAN, "1.250", "1250", True), (GERMAN, "12,5", "12.5", True),
    (NEAREST, "1.234", "1234", True), (LIST, r"\ln 8, 2", r"2, 3\ln 2", True),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "a", "b", "equal"), CASES)
def test_a_vote_says_what_a_grade_says(service: Answers, problem: str, a: str, b: str, equal: bool) -> None:
    asked = expected(problem)
    assert asyncio.run(service.equal(a, b, asked)) is equal
    assert asyncio.run(service.equal(b, a, asked)) is equal
    labels = asyncio.run(service.cluster([a, b], asked)).labels
    assert (labels[0] == labels[1]) is equal


def test_the_default_grader_is_told_the_problem() -> None:
    judge = tts.grader("math")

    async def work() -> list[bool]:
        try:
            pairs = [("1,-2", "-2, 1"), ("C", "42"), ("50", "0.5")]
            return await judge.grade(pairs, problems=[ORDERED, CHOICE, PERCENT])  # type: ignore[call-arg]
        finally:
            await judge.aclose()

    assert asyncio.run(work()) == [False, True, False]


def test_a_comparison_votes_and_grades_under_the_problem(tmp_path: Path) -> None:
    boxes = [["42", "C", "43", "D"], ["42", "C", "43", "42"]]
    rows = [{"problem": CHOICE, "answer": "C", "candidates": [rf"\boxed{{{one}}}" for one in given]} for given in boxes]
    path = tmp_path / "sets.jsonl"
    path.write_text("".join(json.dumps({"id": str(place), **row}) + "\n" for place, row in enumerate(rows)))
    found = tts.compare(path, strategies=["majority"], k=4)
    assert sorted(graded.candidates or () for graded in found.rows) == [
        (True, True, False, False), (True, True, False, True),
    ]  # fmt: skip
    assert all(graded.decisions == {"majority": (True,)} for graded in found.rows)
