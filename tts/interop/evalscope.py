"""evalscope (1.0 or later): `reviews/MODEL/BENCHMARK_SUBSET.jsonl`.

From the source of 1.14; the tool itself was not run. A review has the target, the conversation and the score of one
sample; the samples of one problem share its group and stand wherever they finished, so the file is read twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tts.interop._foreign import Converted, grouped_lines, request_of, response, spoken, take
from tts.rows.files import Row
from tts.vocabulary.errors import TaskError


def holds(path: Path, first: Mapping[str, Any]) -> bool:
    """A file of reviews."""
    return path.suffix == ".jsonl" and {"index", "sample_score", "target"} <= first.keys()


def rows(path: Path) -> Iterator[Row]:
    """One row per problem; the model is called what the folder is called."""
    for row, values in grouped_lines(path, _group):
        try:
            yield row._replace(value=_convert(row, values, path.parent.name))
        except TaskError as error:
            yield row._replace(value=error)


def _group(value: Mapping[str, Any]) -> str:
    score = value.get("sample_score")
    group = score.get("group_id") if isinstance(score, Mapping) else None
    return str(value.get("index") if group is None else group)


def _convert(row: Row, values: list[Any], model: str) -> Converted:
    for value in values:
        if isinstance(value, TaskError):
            raise value
    messages = _messages(row, values[0])
    asked = [message for message in request_of(messages) if message["role"] == "user"]
    if not asked:
        raise row.error("there is no question in it; a predictions file has no targets, import the reviews")
    targets = values[0].get("target")
    return {
        "id": _group(values[0]),
        "problem": asked[-1]["content"],
        "answer": targets if isinstance(targets, str) else ", ".join(map(str, targets or ())) or None,
        "candidates": [_candidate(row, value) for value in values],
        "policy": model,
        "metadata": {"request": request_of(messages)},
    }


def _messages(row: Row, value: Mapping[str, Any]) -> list[Any]:
    messages = value.get("messages") or value.get("input")
    if isinstance(messages, str):  # before 1.4 the input stood alone
        return [{"role": "user", "content": messages}]
    if not isinstance(messages, list):
        raise row.error("there are no 'messages' in it")
    return messages


def _candidate(row: Row, value: Mapping[str, Any]) -> Converted:
    score = take(row, "sample_score", "score", of=value)
    last = _messages(row, value)[-1]
    if isinstance(last, Mapping) and last.get("role") == "assistant":
        thinking, text = spoken(last.get("content"))
    else:
        thinking, text = None, score.get("prediction") or ""
    return {
        **response(thinking, text),
        "predicted_answer": score.get("extracted_prediction"),
        "scores": score.get("value"),
    }
