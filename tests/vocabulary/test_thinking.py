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


@pytest.mark.parametrize(
    ("text", "thinking", "summary"),
    [
        ("<thinking>a</thinking>b", "a", "b"),
        ("[THINK]a[/THINK]b", "a", "b"),
        ("\u25c1think\u25b7a\u25c1/think\u25b7b", "a", "b"),
        ("<seed:think>a</seed:think>b", "a", "b"),
        ("<reasoning>a</reasoning><answer>b</answer>", "a", "<answer>b</answer>"),
        ("<|begin_of_thought|>a<|end_of_thought|>b", "a", "b"),
        ("<|im_start|>think\na\n<|im_start|>answer\nb", "a", "b"),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b", "a", "b"),
        ("analysisWe see.assistantfinalb", "We see.", "b"),
        ("<think>a\\end{think}b", "a", "b"),
        ("<think>a</thinking>b", "a", "b"),
        ("<think>a</ think>b", "a", "b"),
        ("<thinking>a", "a", None),
        ("<|channel|>analysis<|message|>a", "a", None),
        ("analysis of variance", None, "analysis of variance"),
        ("Say <thinking> hm", None, "Say <thinking> hm"),
    ],
)
def test_dialects(text: str, thinking: str | None, summary: str | None) -> None:
    assert split_thinking(text) == (thinking, summary)


def test_named_tags_are_looked_for_alone() -> None:
    assert split_thinking("[THINK]a[/THINK]b", "<t>", "</t>") == (None, "[THINK]a[/THINK]b")
