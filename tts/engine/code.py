"""The code behind the decisions of a run, as their provenance tells it."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from tts.contracts.grader import Extract, extractor_code
from tts.contracts.models import JudgeFormat
from tts.contracts.strategy import Strategy
from tts.registry.code import OURS, code_of, file_content


def code_behind(strategy: Strategy, extractor: str | Extract, judge: JudgeFormat | None) -> dict[str, str]:
    """What identifies code and files by what they are to the strategy; this version's own code is left out."""
    found = {"extractor": extractor_code(extractor), **dict(_parts("strategy", strategy))}
    if judge is not None:
        found |= dict(_parts("judge format", judge))
    return {name: code for name, code in sorted(found.items()) if code != OURS}


def _parts(name: str, plugin: BaseModel) -> Iterator[tuple[str, str]]:
    """The code of a plugin, the files that its fields name, and the same of the strategies among its fields."""
    own = getattr(plugin, "fingerprint", None)
    yield name, own if isinstance(own, str) and own else code_of(type(plugin))
    for field, value in plugin:
        if isinstance(value, Strategy):
            yield from _parts(f"{name}.{field}", value)
        elif (content := file_content(value)) is not None:
            yield f"{name}.{field}", content
