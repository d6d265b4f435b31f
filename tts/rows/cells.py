"""Lists in the cells of tables, where they stand as text."""

from __future__ import annotations

import ast
import io
import json
import tokenize
from itertools import pairwise
from typing import Any

_SHOWN = 60  # characters of a cell in a message


def list_of(value: object) -> list[Any] | None:
    """The list that a cell holds: itself, its JSON, or what Python prints of it; `None` where it holds none."""
    if isinstance(value, list):
        return value
    if not isinstance(value, str):
        return None
    text = value.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _printed(text)
    return found if isinstance(found, list) else None


def _printed(text: str) -> Any:
    """What `str` of a list says, as pandas writes lists into CSV; nothing where it would have to be guessed.

    An array of numpy prints `['a' 'b']`, which Python reads as one text.
    """
    try:
        kinds = [
            token.type
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)
        ]
        if (tokenize.STRING, tokenize.STRING) in pairwise(kinds):
            return None
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        return None


def begins_a_list(text: str) -> bool:
    """Text that begins as the JSON of a list of texts or mappings would."""
    return text.lstrip().startswith(('["', "['", '[{"', "[{'"))


def shown(value: object) -> str:
    """A cell as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
