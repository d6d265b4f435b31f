"""How many tokens a model wrote for each candidate, as far as a file says so; what it leaves out stays unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tts.rows.columns import DEFAULT_COLUMNS

ROLE = "completion_tokens"
_MOST = 10**9  # beyond it a number counts something else


def usage_of(told: Mapping[str, Any]) -> dict[str, int] | None:
    """A usage in OpenAI's form as ours; `None` where it is in another form."""
    if not isinstance(told.get(ROLE), int):
        return None
    reasoning = _detail(told, "completion_tokens_details", "reasoning_tokens")
    return {
        "calls": 1,
        "prompt_tokens": _count(told.get("prompt_tokens")) or 0,
        "cached_tokens": _detail(told, "prompt_tokens_details", "cached_tokens"),
        "thinking_tokens": reasoning,
        "answer_tokens": max(told[ROLE] - reasoning, 0),
    }


def counts_of(recorded: object, columns: Mapping[str, str], candidates: int) -> Sequence[int | None] | None:
    """Tokens that were generated for each candidate, in the column that the user names, or one of a common name.

    `None` where the user's is not there.
    """
    lists = recorded if isinstance(recorded, Mapping) else {}
    names = (columns[ROLE],) if ROLE in columns else DEFAULT_COLUMNS[ROLE]
    found = next((lists[name] for name in names if isinstance(lists.get(name), list)), None)
    if found is None:
        return None if ROLE in columns and candidates else [None] * candidates
    return [_count(one) for one in found]


def _detail(told: Mapping[str, Any], name: str, key: str) -> int:
    details = told.get(name)
    return (_count(details.get(key)) or 0) if isinstance(details, Mapping) else 0


def _count(value: object) -> int | None:
    """A number of tokens; no response has none, so that 0 says that nobody has counted."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 < value < _MOST and value == int(value) else None
