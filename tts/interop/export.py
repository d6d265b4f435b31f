"""Candidate sets as tables: Parquet with one row per set, a frame with one row per candidate."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from tts.output.file import whole_file
from tts.output.text import json_line, mended_row
from tts.rows.candidates import row_of
from tts.vocabulary.errors import MissingDependencyError
from tts.vocabulary.records import Candidate, Sampled, Usage

PARQUET_CHUNK = 64  # rows held at a time


def write_sets(sets: Iterable[Sampled], path: Path) -> int:
    """Write candidate sets to a .jsonl or .parquet file, whole or not at all; how many there were.

    Raises `OutputError` where it cannot be written.
    """
    if path.suffix == ".parquet":
        return _write_parquet(sets, path)
    count = 0
    with whole_file(path) as part, part.open("w", encoding="utf-8") as file:
        for sampled in sets:
            file.write(json_line(row_of(sampled)) + "\n")
            count += 1
    return count


def _write_parquet(sets: Iterable[Sampled], path: Path) -> int:
    """One row each, whatever is in them.

    All rows have one schema; what differs from row to row (sampling, metadata) is JSON text, which
    `tts.read_candidate_sets` takes as well. Raises `MissingDependencyError` without pyarrow.
    """
    pa, pq = parquet_library()
    schema, rows, count = _schema(pa), map(mended_row, map(row_of, sets)), 0
    with whole_file(path) as part, pq.ParquetWriter(part, schema) as writer:
        while chunk := list(map(_flat, islice(rows, PARQUET_CHUNK))):
            writer.write_table(pa.Table.from_pylist(chunk, schema))
            count += len(chunk)
    return count


def parquet_library() -> tuple[Any, Any]:
    """`pyarrow` and `pyarrow.parquet`.

    Raises `MissingDependencyError`.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError("writing Parquet needs 'pyarrow'; pip install 'ttscale[data]'") from error
    return pa, pq


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: json.dumps(row[name], ensure_ascii=False) for name in ("sampling", "metadata")}


def _schema(pa: Any) -> Any:
    text, integer = pa.string(), pa.int64()
    usage = pa.struct([(name, pa.float64() if name == "seconds" else integer) for name in Usage.model_fields])
    candidate = pa.struct(
        {"index": integer}
        | dict.fromkeys(("text", "thinking", "summary", "answer", "finish_reason"), text)
        | {"usage": usage, "logprob": pa.float64(), "error": text}
    )
    message = pa.struct([("role", text), ("content", text)])
    columns = {"id": text, "problem": text, "messages": pa.list_(message), "answer": text}
    return pa.schema(columns | {"candidates": pa.list_(candidate), "policy": text, "sampling": text, "metadata": text})


def candidates_frame(sets: Iterable[Sampled]) -> Any:
    """A pandas frame with one row per candidate: its problem, gold answer, place, text, answer and tokens.

    Raises `MissingDependencyError` without pandas.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError("a data frame needs 'pandas'; pip install 'ttscale[data]'") from error
    return pd.DataFrame([_line(sampled, candidate) for sampled in sets for candidate in sampled.candidates])


def _line(sampled: Sampled, candidate: Candidate) -> dict[str, Any]:
    problem = sampled.candidates.problem
    return {
        "problem_id": problem.id,
        "problem": problem.text,
        "gold": sampled.answer,
        "policy": sampled.candidates.policy,
        "index": candidate.index,
        "text": candidate.text,
        "thinking": candidate.thinking,
        "summary": candidate.summary,
        "answer": candidate.answer,
        "finish_reason": candidate.finish_reason,
        "generated_tokens": candidate.usage.generated_tokens,
        "logprob": candidate.logprob,
        "error": candidate.error,
    }
