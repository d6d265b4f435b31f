"""What is told while tokens come: always a beginning of the text, in the end all of it."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_hf_chat import metaspace_bpe
from tiny_models import bpe_tokenizer

from tts_backends.checkpoints.chat import Chat
from tts_backends.checkpoints.telling import Telling


@functools.cache
def chat(kind: str) -> Chat:
    tokenizer: Any = bpe_tokenizer() if kind == "bytes" else metaspace_bpe()
    return Chat(tokenizer, None, "<think>", "</think>")


TEXTS = st.text(alphabet=" ab12\n<>éß日🦩", max_size=30)


@pytest.mark.parametrize("kind", ["bytes", "metaspace"])
@given(
    text=TEXTS, steps=st.lists(st.integers(1, 4), min_size=1, max_size=40), stop=st.sampled_from(["", "a1", "1\n日"])
)
def test_what_is_told_is_the_beginning_of_the_text_at_every_step(
    kind: str, text: str, steps: list[int], stop: str
) -> None:
    tokens, told = chat(kind).token_ids(text), list[str]()
    telling, count = Telling(chat(kind), told.append, (stop,)), 0
    whole = chat(kind).decode(tokens)
    final = whole[: whole.find(stop)] if stop and stop in whole else whole
    for step in steps:
        count += step
        telling.more(tokens[:count])
        assert final.startswith("".join(told))
    telling.end(final)
    assert "".join(told) == final


def test_a_text_without_odd_characters_is_told_as_its_tokens_come() -> None:
    tokens, told = chat("bytes").token_ids("So 12 and 21 are 33."), list[str]()
    telling = Telling(chat("bytes"), told.append)
    for count in range(1, len(tokens) + 1):
        telling.more(tokens[:count])
    assert len(told) == len(tokens) > 5
    assert "".join(told) == "So 12 and 21 are 33."


def test_where_the_text_became_another_one_no_more_is_told() -> None:
    told: list[str] = []
    telling = Telling(chat("bytes"), told.append)
    telling.more(chat("bytes").token_ids("So 12"))
    telling.end("No: 13")
    assert "".join(told) == "So 12"
