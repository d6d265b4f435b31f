"""docs/plugins.md names every hook with its signature and every public name of the kit; its strategy is short.

That its code runs is tested with that of all pages.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tts import _hooks, testing

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")
HOOKS = [name for name in vars(_hooks) if name.startswith("tts_")]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_there_with_its_signature(name: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(_hooks, name)).parameters)
    assert f"| `{name}({arguments})` |" in PAGE


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_of_the_kit_is_documented(name: str) -> None:
    if name.endswith("_checks") or name in {"Check", "answers_by_order", "candidate_set"}:
        assert getattr(testing, name).__doc__  # what the page need not repeat
    else:
        assert re.search(rf"\b{name}\b", PAGE)


def test_a_working_strategy_takes_at_most_25_lines() -> None:
    first = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    declared = re.search(r"^```python\n(@tts\.hookimpl\n.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert first
    assert declared
    lines = [line for block in (first, declared) for line in block.group(1).splitlines() if line.strip()]
    assert len(lines) <= 25
