"""verifiers (prime-rl's environments): `results.jsonl`, as `vf-eval --save-results` writes it, or its list as `.json`.

From its documentation; the tool itself was not run. Each line is one rollout: the messages of prompt and completion,
the gold answer, the reward. Model and sampling stand in `metadata.json` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tts.interop._foreign import Converted, converted, sampling_of, take
from tts.rows.files import Row, rows_of_file
from tts.rows.held import is_messages
from tts.rows.samples import by_problem

_COUNTED = ("generation_ms", "scoring_ms", "total_ms")


def holds(path: Path, first: Mapping[str, Any]) -> bool:
    """A file of rollouts."""
    named = {"prompt", "completion", "reward"} <= first.keys()
    return path.suffix in (".jsonl", ".json") and named and is_messages(first["prompt"])


def rows(path: Path) -> Iterator[Row]:
    """One row per problem."""
    beside = _metadata(path.parent / "metadata.json")
    return by_problem(converted(rows_of_file(path), lambda row: _convert(row, beside)), {"candidates": "response"})


def _metadata(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _convert(row: Row, beside: Mapping[str, Any]) -> Converted:
    value = row.value
    answer = value.get("answer")
    own = {name: value[name] for name in value.keys() - {"prompt", "completion", "answer", "id", "example_id"}}
    number = value.get("example_id", value.get("id"))
    model = beside.get("model")
    return {
        **{name: one for name, one in own.items() if name not in _COUNTED},
        **({} if number is None else {"id": str(number)}),
        "messages": take(row, "prompt"),
        "answer": answer if isinstance(answer, str | int | float) else None,
        "response": take(row, "completion"),
        **({"policy": model} if isinstance(model, str) else {}),
        "sampling": sampling_of(beside.get("sampling_args") or {}),
    }
