"""Which kind of answers a source asks for, told from its first rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from doubles import candidate_set

import tts
from tts.rows.files import rows_of_iterable
from tts.sources.kind import kind_of
from tts.sources.opening import Opened

CODE = "def f(x):\n    return x + 1"
OPTIONS = "Which is a prime?\n(A) 4\n(B) 5"


def rows(*answers: Any, problem: str = "What is it?") -> list[dict[str, Any]]:
    return [{"problem": f"{problem} ({place})", "answer": answer} for place, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("math", rows("12", r"\frac{1}{2}", "x^2+1", "5 apples", "{1, 2}", "(1, 2]", "[1, 2]", "x = 3 or x = 4")),
        ("math", rows(12, 0.5, ["4", "5"], "B")),  # a letter may be a variable
        ("math", [{"problem": "What is 2+2?"}]),
        ("math", []),
        ("choice", [{"question": "Which?", "choices": ["x", "y"], "answer": 1}]),
        ("choice", [{"question": "Which?", "A": "x", "B": "y", "answer": "B"}]),
        ("choice", [{"problem": OPTIONS, "answer": "B"}]),
        ("choice", [{"problem": OPTIONS}]),
        ("json", rows('{"a": 1}', {"b": [2]})),
        ("json", rows('["a", "b"]')),
        ("json", rows("[1, 2]", problem="Answer in JSON.")),
        ("json", [{"problem": "Give the address as JSON."}]),
        ("code", rows(CODE)),
        ("code", rows(f"```python\n{CODE}\n```")),
        ("text", rows("class action", "import duty")),
        ("text", rows("(1) Henry is a knight\n(2) Jack is a knave")),
        ("code", [{"problem": "Add one.", "entry_point": "f", "test": "assert f(1) == 2"}]),
        ("code", [{"problem": "Write a Python function that adds one."}]),
        ("text", rows("Paris", "Marie Curie", "1945")),
        ("text", rows("yes", True, "Olivia is a laggard, and Lily is a pioneer.")),
        ("text", rows("1945", "1946", "Paris")),  # a third are words, which mathematics would read wrong
        ("math", rows(*map(str, range(20)), r"\text{even}", "Evelyn")),  # a few are words, as in MATH
    ],
)  # fmt: skip
def test_kind_of_rows(kind: str, source: list[dict[str, Any]], tmp_path: Path) -> None:
    assert kind_of(source) == kind
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in source), "utf-8")
    assert kind_of(path) == kind
    if source:
        assert kind_of(Opened(rows_of_iterable(source[:1]), "a pipe")) == kind_of(source[:1])


def test_candidate_sets_are_judged_by_their_gold_answers() -> None:
    assert kind_of([tts.Sampled(candidate_set("Paris", "Rome"), "Paris")]) == "text"


def test_rows_that_cannot_be_read_are_left_to_who_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"problem": "a", "answer": "Paris"}\n{broken\n', "utf-8")
    assert kind_of(path) == "text"
    assert kind_of(rows("Paris"), {"answer": "none"}) == "math"


def test_auto_takes_what_it_finds_and_says_by_what() -> None:
    told: list[str] = []
    source = [
        {"problem": "Capital?", "answer": "paris", "candidates": ["Answer: Paris.", "Answer: the Paris", "Rome 3"]}
    ]
    listen = [lambda event: told.append(event.message) if event.kind == "understood" else None]
    found = tts.compare(source, strategies=["majority"], k=3, answers="auto", listeners=listen)
    assert found.results[0].answer == "Paris"
    assert found.accuracy("majority").mean == 1
    assert "answers: text, found by text (words as gold answer in 1 of 1 problem), model: none needed" in told[0]


def test_without_a_word_they_are_mathematics_and_a_line_says_what_they_look_like() -> None:
    told: list[str] = []
    listen = [lambda event: told.append(event.message) if event.kind == "understood" else None]
    source = [{"problem": "Which?", "answer": '{"a": 1}', "candidates": ['{"a": 1}', '{"a": 2}']}]
    found = tts.compare(source, strategies=["first"], k=2, listeners=listen)
    assert found.answers_are == "auto"
    assert told[0] == (
        "a JSON value as gold answer in 1 of 1 problem: with --answers json (answers='json') they are read as json"
    )
    assert "answers: math" in told[1]
    told.clear()
    tts.compare(source, strategies=["first"], k=2, extractor="json", grader="json", listeners=listen)
    assert not any("--answers" in line for line in told)  # who names them knows


def test_auto_of_a_pipe_and_in_an_explanation(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from tts.cli import main

    row = {"problem": "Which?", "answer": {"b": 1, "a": 2}, "candidates": ['```json\n{"a": 2, "b": 1}\n```', "{}"]}
    runner = CliRunner()
    done = runner.invoke(
        main, ["compare", "-", "-s", "first", "-k", "2", "--answers", "auto", "--json"], input=json.dumps(row)
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["strategies"]["first"]["accuracy"]["mean"] == 1
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row), "utf-8")
    told = runner.invoke(main, ["compare", str(path), "-s", "first", "-k", "2", "--answers", "auto", "--explain"])
    assert "by the extractor 'json'" in told.stdout


def test_a_task_knows_its_own() -> None:
    pytest.importorskip("torch", reason="the built-in model needs ttscale[hf]")
    found = tts.compare("task:sums@size=1", strategies=["first"], k=1, answers="auto")
    assert found.accuracy("first") is not None
