from __future__ import annotations

import pytest

from tts.vocabulary.thinking import split_thinking


@pytest.mark.parametrize(
    ("text", "opened", "thinking", "summary"),
    [
        ("42", False, None, "42"),
        ("", False, None, ""),
        ("<think>\na\n</think>\n\nb", False, "a", "b"),
        ("<think></think>b", False, "", "b"),
        ("<think>a", False, "a", None),
        ("a</think>b", False, "a", "b"),  # the prompt opened the block and nobody said so
        ("a</think>b", True, "a", "b"),
        ("a", True, "a", None),
        ("<think>a</think>b", True, "a", "b"),  # the model opens it once more
        ("a <think> b", False, None, "a <think> b"),  # words about a tag
        ("Well. <think>a</think>b", False, "a", "Well. b"),
        ("<think>a</think>b<think>c</think>d", False, "a</think>b<think>c", "d"),
        ("a</think>b<think>c</think>d", False, "a</think>b<think>c", "d"),
        ("<think>a</think>", False, "a", ""),
    ],
)
def test_split(text: str, opened: bool, thinking: str | None, summary: str | None) -> None:
    assert split_thinking(text, opened=opened) == (thinking, summary)


def test_other_tags() -> None:
    assert split_thinking("[T]a[/T]b", "[T]", "[/T]") == ("a", "b")
