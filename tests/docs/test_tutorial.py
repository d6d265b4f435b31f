"""docs/plugins.md names every public name of the kit, and its strategy is short; test_blocks runs its code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tts import testing

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")
HOOKS = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text("utf-8")


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_of_the_kit_is_shown(name: str) -> None:
    if name.endswith("_checks") or name in {"Check", "answers_by_order", "candidate_set"}:
        assert getattr(testing, name).__doc__  # what the guide need not repeat
    else:
        assert re.search(rf"\b{name}\b", PAGE + HOOKS)


def test_a_working_strategy_takes_at_most_25_lines() -> None:
    first = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    declared = re.search(r"^```python\n(@tts\.hookimpl\n.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert first
    assert declared
    lines = [line for block in (first, declared) for line in block.group(1).splitlines() if line.strip()]
    assert len(lines) <= 25
