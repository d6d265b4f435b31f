from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.output.text import json_line, mended_row, printable, spreadsheet_cell

ANYTHING = st.text(st.characters(exclude_categories=[]))


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "-x", "=-1"]
)
def test_a_formula_is_marked_as_text(text: str) -> None:
    assert spreadsheet_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-5", "+3", "-1.5e3", "-.5", "-20%", "5", "", "x=1", " a", None, -3, -0.5, True])
def test_numbers_and_plain_text_stay(value: object) -> None:
    assert spreadsheet_cell(value) is value


@given(
    st.recursive(st.none() | st.integers() | ANYTHING, lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner))
)
def test_json_says_the_same_in_any_encoding(value: object) -> None:
    for ascii_only in (False, True):
        line = json_line(value, ascii_only=ascii_only)
        assert json.loads(line) == mended_row(value)
        assert printable(line) == line
        assert "\n" not in line
        line.encode("ascii" if ascii_only else "utf-8")


def test_numbers_that_json_does_not_have_stay_as_they_were() -> None:
    assert json_line([math.nan, 0.5]) == "[NaN, 0.5]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\rb\x08\x7f\x9b31m", "a\\x0db\\x08\\x7f\\x9b31m"),
        ("lines\n\tand \r\ntabs, ü, 你好", "lines\n\tand \ntabs, ü, 你好"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown
