"""References of models: options with commas and @ in them, judges that pass them on, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from doubles import FakeBackend
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

import tts
from tts.engine.reference import Reference, judge_format, parse_reference

VALUES = st.text(st.sampled_from('ab@=,\\{}[]" ./1')).map(str.strip)


@given(VALUES.filter(bool), st.dictionaries(st.sampled_from(["a", "b_c", "d.e"]), VALUES))
def test_a_reference_is_read_as_it_is_shown(model: str, options: dict[str, str]) -> None:
    reference = Reference("plugin", model, tuple(sorted(options.items())))
    assert parse_reference(str(reference)) == reference


@given(VALUES.filter(bool), VALUES)
def test_a_judge_passes_options_on_as_they_are(model: str, value: str) -> None:
    text = str(Reference("generic", f"hf:{model}", (("temperature", "0.5"), ("x", value))))
    found = judge_format(text)
    assert found is not None
    assert parse_reference(found[1]) == Reference("hf", model, (("x", value),))


def test_options_may_be_given_apart_from_the_name(fake: Callable[..., type[FakeBackend]]) -> None:
    class Options(BaseModel):
        model_config = ConfigDict(extra="allow")

    fake().Options = Options
    found = tts.find_model("backend", "fake:m@a=1", {"b": "x,y@c=2"})
    assert (found.model, found.options.model_extra) == ("m@a=1", {"b": "x,y@c=2"})
    found = tts.find_model("backend", "fake:m@a=1")
    assert (found.model, found.options.model_extra) == ("m", {"a": "1"})


def test_an_address_may_have_an_at_in_its_path_but_no_user() -> None:
    text = "openai:m@base_url=http://h/a@b/v1,key_file=/home/me@corp/key"
    options = dict(parse_reference(text).options)
    assert options == {"base_url": "http://h/a@b/v1", "key_file": "/home/me@corp/key"}
    for value in ("http://user:hunter2@host/v1", "a+http://hunter2@host"):
        with pytest.raises(tts.ConfigError, match="has an address with a user or password") as raised:
            parse_reference(f"openai:m@base_url={value},retries=1")
        assert "hunter2" not in str(raised.value)


def test_what_a_function_costs_is_an_estimate_and_marked_as_one() -> None:
    run = tts.run(["2+2"], strategy="majority", k=2, model=lambda _: "<think>two and two</think>so \\boxed{4}")
    (result,) = run.results
    spent = result.usage["policy"]
    assert spent.thinking_tokens and spent.answer_tokens
    assert spent.estimated_tokens == spent.total_tokens
    assert "≈" in str(run)
