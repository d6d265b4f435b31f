"""Declarations are checked where they are written, without pydantic."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import pytest

import tts

GOOD = {"name": "shortest", "target": "my_package.strategies:Shortest"}


def test_an_entry_is_frozen_compares_by_value_survives_pickle() -> None:
    entry = tts.Entry(**GOOD, summary="the shortest response")
    assert pickle.loads(pickle.dumps(entry)) == entry == tts.Entry(**GOOD, summary="the shortest response")
    assert hash(entry) == hash(dataclasses.replace(entry))
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": "Shortest"}, "name='Shortest' should look like 'shortest'"),
        ({"name": ""}, "name='' should look like"),
        ({"name": "a\n"}, "should look like"),
        ({"name": None}, "name=None should look like"),
        ({"target": "my_package.Shortest"}, "target='my_package.Shortest' should look like 'my_package.module:Class'"),
        ({"target": "os:system('x')"}, "should look like"),
        ({"summary": None}, "Entry 'shortest': summary=None should be text"),
        ({"extra": 3}, "Entry 'shortest': extra=3 should be text"),
        ({"paper": ["one"]}, "should be text"),
    ],
)
def test_a_value_of_another_form_is_one_sentence(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(tts.ConfigError) as caught:
        tts.Entry(**{**GOOD, **wrong})
    assert sentence in str(caught.value)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="paperr"):
        tts.Entry(**GOOD, paperr="x")  # type: ignore[call-arg]
