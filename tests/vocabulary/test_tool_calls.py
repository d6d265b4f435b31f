"""Calls of tools as text: written and read back, and nothing else taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(), JSON, max_size=3).map(json.dumps) | st.text()
CALLS = st.lists(st.builds(tts.ToolCall, st.text(min_size=1), ARGUMENTS), max_size=3)


@given(st.text(), CALLS)
def test_what_is_written_is_read_back_letter_by_letter(text: str, calls: list[tts.ToolCall]) -> None:
    said = tts.split_tool_calls(tts.with_tool_calls(text, calls))
    if calls and "<tool_call>" not in text:
        assert said.text == text.rstrip()
        assert [one.name for one in said.calls] == [one.name for one in calls]
        assert [one.arguments.strip() for one in said.calls] == [one.arguments.strip() for one in calls]
    elif not calls and "<tool_call>" not in text:
        assert said == (text, ())


@given(st.text(alphabet='<>/tol_ca{}"name:rgus, \n'))
def test_any_text_can_be_read(text: str) -> None:
    said = tts.split_tool_calls(text)
    assert text.startswith(said.text)
    assert said.calls or said.text == text


def test_a_closing_tag_in_an_argument_ends_nothing() -> None:
    call = tts.ToolCall("write", '{"text": "</tool_call> <tool_call>"}')
    assert tts.split_tool_calls(tts.with_tool_calls("", [call, call])) == ("", (call, call))


def test_models_write_the_parts_in_any_order_and_leave_the_last_tag_out() -> None:
    text = 'Let me see.\n<tool_call>\n{"arguments": {"a": 1}, "name": "f"}\n</tool_call>\n<tool_call>{"name": "g"}'
    said = tts.split_tool_calls(text)
    assert said == ("Let me see.", (tts.ToolCall("f", '{"a": 1}'), tts.ToolCall("g", "{}")))


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>nothing</tool_call>",
        '<tool_call>{"arguments": {}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": {}}</tool_call> is how one calls it.',
        '<tool_call>{"name": "f", "arguments": {',
        '<tool_call>{"name": 3, "arguments": {}}</tool_call>',
    ],
)
def test_what_is_no_call_stays_a_text(text: str) -> None:
    assert tts.split_tool_calls(text) == (text, ())
