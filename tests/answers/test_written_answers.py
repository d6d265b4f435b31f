"""Answers that are no mathematics: where they stand, when two are equal."""

from __future__ import annotations

import asyncio
import json
import random
import time

import pytest

import tts
from tts.answers.forms import clusters_by, form_of
from tts.answers.written import code, json_value, said, text_key


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('Sure.\n```json\n{"b": 1.0, "a": [1, 2]}\n```\nDone.', {"a": [1, 2], "b": 1}),
        ('{"a": 1} and, on reflection, {"a": 2}', {"a": 2}),
        ('The result is {"a": {"b": [3]}}.', {"a": {"b": [3]}}),
        ("[1, 2, 3]", [1, 2, 3]),
        ("42", 42),
    ],
)
def test_the_last_json_value_is_the_answer(text: str, value: object) -> None:
    found = json_value(text)
    assert found is not None
    assert json.loads(found) == value


def test_equal_json_values_are_written_alike_and_others_are_not() -> None:
    rng = random.Random(1)

    def value(depth: int) -> object:
        kind = rng.randint(0, 4 if depth else 2)
        if kind == 3:
            return [value(depth - 1) for _ in range(rng.randint(0, 3))]
        if kind == 4:
            return {rng.choice("abcdef"): value(depth - 1) for _ in range(rng.randint(0, 3))}
        return [rng.randint(0, 3), rng.choice("xy"), rng.choice([True, None])][kind]

    values = [value(3) for _ in range(60)]
    for one in values:
        for other in values:
            wrapped = [json_value(f"so: {json.dumps([each], indent=rng.choice([None, 2]))}") for each in (one, other)]
            same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
            assert (wrapped[0] == wrapped[1]) == same, (one, other)


def test_text_without_json_has_none() -> None:
    assert json_value("I cannot say {that.") is None
    assert json_value("") is None


def test_code_is_the_last_block_whole_and_never_a_number_in_it() -> None:
    text = "First:\n```python\nx = 1\n```\nBetter:\n```python\ndef f():\n    return 42   \n```\nSo 42."
    assert code(text) == "def f():\n    return 42"
    classes = clusters_by(["x = 42", "y = 42", "x = 42"], form_of("code").key or str)
    assert classes.labels == (0, 1, 0)
    assert classes.sizes == (2, 1)


@pytest.mark.parametrize(
    "text", ["Thinking ...\nAnswer: The Eiffel Tower.", r"It is \boxed{the eiffel tower}", "Eiffel tower"]
)
def test_words_are_one_whatever_their_case_articles_and_points(text: str) -> None:
    assert text_key(said(text) or "") == "eiffel tower"


@pytest.mark.parametrize("find", [json_value, code, said])
def test_hostile_text_takes_linear_time(find: object) -> None:
    for hostile in (
        "[" * 200_000,
        '{"a":' * 100_000,
        "```\n```python\n" * 50_000,
        "```python\n" * 100_000,
        "answer: " * 50_000,
    ):
        began = time.monotonic()
        find(hostile)  # type: ignore[operator]  # one of the three
        assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("kind", "gold", "right", "wrong"),
    [
        ("json", '{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": 1}'),
        ("text", "Marie Curie", "marie  curie", "Pierre Curie"),
        ("code", "x = 1\n", "x = 1", "x = 2"),
        ("choice", "B", "(b)", "C"),
    ],
)
def test_every_kind_has_its_grader(kind: str, gold: str, right: str, wrong: str) -> None:
    grader = tts.grader(form_of(kind).grader)
    assert asyncio.run(grader.grade([(gold, right), (gold, wrong), (gold, None)])) == [True, False, False]


def test_an_unknown_kind_is_a_sentence() -> None:
    with pytest.raises(tts.ConfigError, match=r"answers='jsn'; did you mean 'json'\? known: auto, choice"):
        form_of("jsn")
