"""OpenCompass: `predictions/MODEL/DATASET.json`, one document with a mapping of numbers to predictions.

From its documentation; the tool itself was not run. A prediction is one response, or a list of them; where a data set
was repeated, those of one prompt belong together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tts.interop._foreign import Converted, converted, take
from tts.rows.files import Row, rows_of_file
from tts.rows.samples import by_problem
from tts.vocabulary.errors import TaskError

_USERS = ("HUMAN", "user")


def holds(path: Path, first: Mapping[str, Any]) -> bool:
    """A document of predictions."""
    one = next(iter(first.values()), None)
    return path.suffix == ".json" and isinstance(one, Mapping) and {"origin_prompt", "prediction"} <= one.keys()


def rows(path: Path) -> Iterator[Row]:
    """One row per problem; the model is called what the folder is called."""
    found = list(converted(_predictions(path), lambda row: _convert(row, path.parent.name)))
    single = any(isinstance(row.value, Mapping) and "response" in row.value for row in found)
    return by_problem(found, {"candidates": "response"}) if single else iter(found)


def _predictions(path: Path) -> Iterator[Row]:
    for row in rows_of_file(path):
        if not isinstance(row.value, Mapping):
            raise TaskError(f"{path} is no mapping of numbers to predictions")
        for number, value in row.value.items():
            yield Row(str(path), f"item {number}", value)


def _convert(row: Row, model: str) -> Converted:
    predicted, gold = take(row, "prediction"), row.value.get("gold")
    kind = "candidates" if isinstance(predicted, list) else "response"
    return {
        "problem": _question(row),
        "answer": gold if isinstance(gold, str | int | float | list) else None,
        kind: predicted,
        "policy": model,
    }


def _question(row: Row) -> str:
    """The user's last turn; few-shot examples stand before it."""
    sent = take(row, "origin_prompt")
    if isinstance(sent, str):
        return sent
    turns = [one for one in sent if isinstance(one, Mapping)] if isinstance(sent, list) else []
    asked = [one.get("prompt", one.get("content")) for one in turns if one.get("role") in _USERS]
    if not asked or not isinstance(asked[-1], str):
        raise row.error("the 'origin_prompt' has no turn of the user's")
    return asked[-1]
