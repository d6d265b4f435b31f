"""What is told of a stream while it comes: the beginning of the text that the completion will have."""

from __future__ import annotations

from typing import Any

import pytest

from tts_backends.openai.events import Events
from tts_backends.openai.wire import Wire

MARKERS = ("<think>", "</think>")


def told(*deltas: dict[str, Any]) -> tuple[str, str]:
    """What was told, and the text of the completion."""
    pieces: list[str] = []
    events = Events("chat", pieces.append, MARKERS)
    for delta in deltas:
        events.take({"choices": [{"delta": delta}]})
    events.take({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    (completion,) = Wire("m", "chat", True, MARKERS).read(events.answer(), (0,), False)
    return "".join(pieces), completion.text


@pytest.mark.parametrize(
    "deltas",
    [
        [{"role": "assistant"}, {"content": "So "}, {"content": "3"}],
        [{"reasoning_content": "they "}, {"reasoning_content": "agree"}, {"content": "So "}, {"content": "3"}],
        [{"reasoning": "hm"}, {"content": "\n\nSo 3"}],
        [{"content": "<think>a</think>"}, {"content": "3"}],
    ],
)
def test_all_of_the_text_is_told_as_it_will_stand(deltas: list[dict[str, Any]]) -> None:
    said, text = told(*deltas)
    assert said == text


@pytest.mark.parametrize(
    "deltas",
    [
        [{"content": "So "}, {"reasoning_content": "late"}, {"content": "3"}],
        [{"content": "ok "}, {"content": "\ud83e"}, {"content": "\uddee 3"}],
        [{"reasoning_content": "a", "content": "b"}, {"content": "c"}],
    ],
)
def test_what_will_stand_otherwise_is_not_told(deltas: list[dict[str, Any]]) -> None:
    said, text = told(*deltas)
    assert text.startswith(said) or said == "So "
    assert said != text
