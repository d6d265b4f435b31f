"""Conditions mean what Python means by them, and whatever is none is one sentence."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.store.care import FIELDS
from tts.store.where import condition

WORDS = st.sampled_from(["stop", "error", "length", "a b", "or", "and", "not", "", "ä"])
NAMES: dict[type, list[str]] = {
    kind: [name for name, one in FIELDS.items() if one is kind] for kind in (str, int, bool)
}
ROWS = st.fixed_dictionaries(
    {name: {str: WORDS, int: st.integers(-3, 9), bool: st.booleans()}[kind] for name, kind in FIELDS.items()}
)


@st.composite
def one_test(draw: st.DrawFn) -> tuple[str, str]:
    """A test as we write it, and as Python does."""
    kind = draw(st.sampled_from([str, int, bool]))
    name = draw(st.sampled_from(NAMES[kind]))
    space = draw(st.sampled_from(["", " "]))
    if kind is bool and draw(st.booleans()):
        return name, f"row[{name!r}]"
    signs = {str: ["=", "!=", "~"], int: ["=", "!=", "<", "<=", ">", ">="], bool: ["=", "!="]}[kind]
    sign, value = draw(st.sampled_from(signs)), draw({str: WORDS, int: st.integers(-3, 9), bool: st.booleans()}[kind])
    written = f'"{value}"' if kind is str else str(value).lower()
    equal = "==" if sign == "=" else sign
    python = f"({value!r} in row[{name!r}])" if sign == "~" else f"(row[{name!r}] {equal} {value!r})"
    return f"{name}{space}{sign}{space}{written}", python


def turned(one: tuple[str, str]) -> tuple[str, str]:
    """The opposite, in brackets."""
    return f"not ({one[0]})", f"(not {one[1]})"


def joined(one: tuple[tuple[str, str], str, tuple[str, str]]) -> tuple[str, str]:
    """Two conditions, each in brackets."""
    left, joint, right = one
    return f"({left[0]}) {joint} ({right[0]})", f"({left[1]} {joint.lower()} {right[1]})"


BOTH = st.recursive(
    one_test(),
    lambda inner: st.one_of(
        inner.map(turned),
        st.tuples(inner, st.sampled_from(["and", "or", "AND"]), inner).map(joined),
        inner.map(lambda one: (f"( {one[0]} )", one[1])),
    ),
    max_leaves=6,
)


@given(BOTH, ROWS)
def test_a_condition_holds_where_python_says_so(both: tuple[str, str], row: dict[str, Any]) -> None:
    ours, python = both
    assert condition(ours, FIELDS).holds(row) is eval(python, {"row": row})


@given(st.lists(one_test(), min_size=2, max_size=5), st.data(), ROWS)
def test_and_binds_before_or(parts: list[tuple[str, str]], data: st.DataObject, row: dict[str, Any]) -> None:
    joints = [data.draw(st.sampled_from(["and", "or"])) for _ in parts[1:]]
    ours = " ".join([parts[0][0], *(f"{joint} {one}" for joint, (one, _) in zip(joints, parts[1:], strict=True))])
    python = " ".join([parts[0][1], *(f"{joint} {one}" for joint, (_, one) in zip(joints, parts[1:], strict=True))])
    assert condition(ours, FIELDS).holds(row) is eval(python, {"row": row})


@given(st.text(alphabet="fte=!<>~()\"' oradnfinishtokens10empty", max_size=30))
def test_any_text_is_a_condition_or_our_error(text: str) -> None:
    with suppress(tts.ConfigError):
        condition(text, FIELDS)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a field is missing"),
        ("finish", "'finish' needs a value, such as finish=TEXT"),
        ("finish=", "a value is missing after 'finish'"),
        ("tokens=many", "tokens: 'many' is not a whole number"),
        ("tokens~1", "'tokens' takes =, !=, <, <=, >, >=, not '~'"),
        ("finnish=stop", "there is no field 'finnish'; did you mean 'finish'"),
        ("empty or", "a field is missing"),
        ("(empty", "a ) is missing"),
        ("empty)", "')' is not expected there"),
        ("empty truncated", "'truncated' is not expected there"),
        ("finish='error", "cannot be read"),
        ("__import__('os')", "there is no field '__import__'"),
    ],
)
def test_what_is_wrong_is_said(text: str, sentence: str) -> None:
    with pytest.raises(tts.ConfigError) as found:
        condition(text, FIELDS)
    assert sentence in str(found.value)
    assert "write e.g. 'finish=error or empty'" in str(found.value)
