"""reasoning-gym's evaluation: `results.json` of a model, or the `.json` of one of its data sets.

From the results that its authors publish; the tool itself was not run. Each question has its completions with score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tts.interop._foreign import Converted, converted, list_at, text_at
from tts.rows.files import Row, rows_of_file


def holds(path: Path, first: Mapping[str, Any]) -> bool:
    """A document of categories with data sets, or of one data set, whose results have completions."""
    if path.suffix != ".json":
        return False
    found = [result for _, part in _sets(first) for result in part.get("results") or () if isinstance(result, Mapping)]
    return bool(found) and {"question", "completions"} <= found[0].keys()


def rows(path: Path) -> Iterator[Row]:
    """One row per question."""
    return converted(_results(path), _convert)


def _sets(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The data sets of a document by name."""
    categories = document.get("categories")
    if not isinstance(categories, list):
        return [(str(document.get("name", "")), document)] if isinstance(document.get("results"), list) else []
    parts = [part for one in categories if isinstance(one, Mapping) for part in one.get("datasets") or ()]
    return [(str(part.get("name", "")), part) for part in parts if isinstance(part, Mapping)]


def _results(path: Path) -> Iterator[Row]:
    for row in rows_of_file(path):
        model = row.value.get("model")
        for name, part in _sets(row.value):
            for number, result in enumerate(part.get("results") or ()):
                yield Row(row.source, f"question {number} of {name}", {"name": name, "model": model, "result": result})


def _convert(row: Row) -> Converted:
    told = list_at(row, "result", "completions")
    scores = [one.get("score") if isinstance(one, Mapping) else None for one in told]
    texts = [text_at(row, "full_model_response", of=one) for one in told]
    result, model = row.value["result"], row.value["model"]
    return {
        "problem": text_at(row, "result", "question"),
        "answer": result.get("expected_answer"),
        "candidates": texts,
        "score": scores,
        **({"policy": model} if isinstance(model, str) else {}),
        "metadata": {"dataset": row.value["name"]},
    }
