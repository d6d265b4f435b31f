"""What is written is what is read, whatever stands in names and values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.vocabulary.reference import NotAReference, Parts, join_reference, split_reference

HARD = st.text(st.sampled_from('ab@=,\\{}[]":/. 1é')).map(str.strip)
NAMES = st.one_of(HARD, st.text())
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,6}", fullmatch=True)
JSON = st.recursive(st.none() | st.integers() | HARD, lambda one: st.lists(one) | st.dictionaries(HARD, one)).map(
    json.dumps
)
VALUES = st.one_of(HARD, JSON, st.text().map(str.strip))


@given(NAMES, st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_is_written_is_read_again(name: str, options: dict[str, str]) -> None:
    parts = Parts(name, tuple(options.items()))
    assert split_reference(join_reference(*parts)) == parts


@given(st.text(st.sampled_from('ab@=,\\{}[]": ')))
def test_a_text_is_refused_or_means_one_thing(text: str) -> None:
    try:
        parts = split_reference(text)
    except NotAReference:
        return
    assert split_reference(join_reference(*parts)) == parts
    if "\\" not in text and "=" in text.rpartition("@")[2] and "@" in text:
        assert parts.options, "what looks like an option is no part of a name"


READ = {
    "m": ("m", {}),
    "m@a=1": ("m", {"a": "1"}),
    "@cf/m@v1@a=1,b=c=d": ("@cf/m@v1", {"a": "1", "b": "c=d"}),
    "m@key_file=/home/me@corp/key": ("m", {"key_file": "/home/me@corp/key"}),
    "m@key_file=/home/me@corp/key,a=1": ("m", {"key_file": "/home/me@corp/key", "a": "1"}),
    "m@base_url=http://user:pw@host/v1,retries=0": ("m", {"base_url": "http://user:pw@host/v1", "retries": "0"}),
    "m@ a = 1 , b = 2 ": ("m", {"a": "1", "b": "2"}),
    r"m@a=x\,y,b=2": ("m", {"a": "x,y", "b": "2"}),
    r"m\@step=5/last@a=1": ("m@step=5/last", {"a": "1"}),
    r"m@a=C:\models\x,b=\\server\share": ("m", {"a": r"C:\models\x", "b": r"\\server\share"}),
    r"m@a=x\\,b=2": ("m", {"a": "x\\", "b": "2"}),
    r"m@a=x\@key=1": ("m", {"a": "x@key=1"}),
    'm@extra={"a": [1, 2], "b": "x@c=1,"},b=2': ("m", {"extra": '{"a": [1, 2], "b": "x@c=1,"}', "b": "2"}),
    "m@a={x},b=[1": ("m", {"a": "{x}", "b": "[1"}),
    "m@a=,b=": ("m", {"a": "", "b": ""}),
}


@pytest.mark.parametrize("text", READ)
def test_how_a_text_is_read(text: str) -> None:
    name, options = READ[text]
    assert split_reference(text) == (name, tuple(options.items()))


REFUSED = {
    "m@a=1,b": r"'b' is not option=value; write \, for a comma in a value",
    "m@a=1,": "'' is not option=value",
    "m@b,a=1": r"'b' is not option=value; write \@",
    "m@a=1,a=2": "the option 'a' is given twice",
    "m@key_env=A@base_url=http://host": "'@base_url=' stands in the value of 'key_env'; options are",
    "m@a=1@b=2": r"\@ is an @ that belongs to a value",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_meant_is_one_sentence(text: str) -> None:
    with pytest.raises(NotAReference) as raised:
        split_reference(text)
    assert REFUSED[text] in str(raised.value)
