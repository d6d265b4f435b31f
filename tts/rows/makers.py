"""Which models made the candidates of a set, as a file or a store says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tts.vocabulary.records import Problem

_NAMES = ("models", "model", "policy")  # under which lists beside the candidates tell it
_MOST = 4  # that are named


def makers(problem: Problem) -> list[str | None]:
    """The model of each candidate, where something beside them tells it; empty where nothing does."""
    recorded = problem.metadata.get("recorded")
    found = (recorded.get(name) for name in _NAMES) if isinstance(recorded, Mapping) else ()
    for one in found:
        if isinstance(one, Sequence) and not isinstance(one, str) and any(isinstance(name, str) for name in one):
            return [name if isinstance(name, str) else None for name in one]
    return []


def made_by(problem: Problem, policy: str) -> str:
    """All of them in words; `policy` is what the set says of itself. Empty where nobody says it."""
    return several([one for one in makers(problem) if one] or [policy])


def several(names: Iterable[str]) -> str:
    """Different names in words, some of them where they are many."""
    known = [one for one in dict.fromkeys(names) if one]
    rest = f" and {len(known) - _MOST} more" if len(known) > _MOST else ""
    return ", ".join(known[:_MOST]) + rest
