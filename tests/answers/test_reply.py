"""What an application is answered with: votes on JSON by value, on calls of tools by name and arguments."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.answers.reply import reply
from tts.engine.engine import Engine

VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-3, 3).map(lambda x: round(x, 1))
    | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=5,
)
CONTAINER = st.lists(VALUE, max_size=3) | st.dictionaries(st.sampled_from("xyz"), VALUE, max_size=3)


def classes(texts: Sequence[str]) -> list[int | None]:
    async def main() -> list[int | None]:
        async with Engine(answers="reply") as engine:
            return await engine.classes(tts.Problem(id="p", prompt="x"), [reply(text) for text in texts])

    return asyncio.run(main())


def other_spelling(value: Any, rng: random.Random) -> str:
    """The same value with keys in another order, whole numbers with a point, other white space."""
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        return "{" + ", ".join(f"{json.dumps(key)} :{other_spelling(one, rng)}" for key, one in items) + " }"
    if isinstance(value, list):
        return "[" + ",  ".join(other_spelling(one, rng) for one in value) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        return rng.choice([f"{value}", f"{value}.0", f"{value}e0"])
    return json.dumps(value)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON has it: unlike Python, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(CONTAINER, CONTAINER, st.randoms(use_true_random=False))
def test_two_values_are_written_alike_where_they_are_equal(one: Any, other: Any, rng: random.Random) -> None:
    assert (reply(other_spelling(one, rng)) == reply(other_spelling(other, rng))) == same(one, other)
    assert reply(f"```json\n{other_spelling(one, rng)}\n```") == reply(json.dumps(one))


@given(st.dictionaries(st.sampled_from("xyz"), VALUE, max_size=3), st.randoms(use_true_random=False))
def test_a_call_counts_by_its_name_and_the_value_of_its_arguments(arguments: Any, rng: random.Random) -> None:
    def said(name: str, value: Any, text: str = "") -> str | None:
        return reply(tts.with_tool_calls(text, [tts.ToolCall(name, other_spelling(value, rng))]))

    assert said("f", arguments) == said("f", arguments, "Let me look that up.")
    assert said("f", arguments) != said("g", arguments)
    assert said("f", arguments) != said("f", {**arguments, "more": 1})


def test_calls_side_by_side_are_the_same_in_any_order() -> None:
    calls = [tts.ToolCall("f", '{"a": 1}'), tts.ToolCall("g", "{}")]
    assert reply(tts.with_tool_calls("", calls)) == reply(tts.with_tool_calls("", calls[::-1]))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (['{"a": 1, "b": 2}', '{"b": 2.0, "a": 1}', '{"a": 1, "b": 3}'], [0, 0, 1]),
        (["[1, 2]", "[2, 1]", "[1.0, 2]"], [0, 1, 0]),
        (["It is \\boxed{1/2}", '{"a": 1}', "It is \\boxed{0.5}", '{"a":1.0}'], [0, 1, 0, 1]),
        (["It is \\boxed{1/2}", "I cannot say", "0.5"], [0, None, 0]),
        (['{"a": ', '{"a": 1}'], [None, 0]),
        (['<tool_call>{"name": "f", "arguments": {"x": 1}}', "The answer is 1"], [0, 1]),
    ],
)
def test_classes_are_by_value_where_there_is_one_and_as_mathematics_elsewhere(
    texts: list[str], expected: list[int | None]
) -> None:
    assert classes(texts) == expected
