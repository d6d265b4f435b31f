"""Rows of a training file in TRL's conversational `prompt` / `completion` form.

A model is to be trained on what it sees later, so prompts come from `tts.prompts` and are never written here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

from tts import ConfigError, Message, MissingDependencyError, TaskError

Objective = Literal["direct", "refine"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


class Row(TypedDict):
    """One training example; see docs/design/training.md for the columns."""

    prompt: list[dict[str, str]]
    completion: list[dict[str, str]]
    objective: Objective
    n_correct: int | None
    problem_id: str
    provenance: str


def row(
    prompt: Sequence[Message],
    completion: str,
    objective: Objective,
    *,
    problem_id: str,
    n_correct: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Row:
    """A row from chat messages and the target text (with its think block)."""
    return Row(
        prompt=[m.model_dump() for m in prompt],
        completion=[{"role": "assistant", "content": completion}],
        objective=objective,
        n_correct=n_correct,
        problem_id=problem_id,
        provenance=json.dumps(dict(provenance or {}), sort_keys=True),
    )


ENDINGS = (".parquet", ".jsonl")
_CHUNK = 500  # rows held at a time, and rows of a Parquet row group


def write_rows(path: str | Path, rows: Iterable[Row]) -> int:
    """Write a .parquet or .jsonl file, a few hundred rows at a time; how many there were.

    The same rows give the same bytes.
    """
    target = _checked(path)
    if target.suffix == ".parquet":
        return _write_parquet(target, iter(rows))
    count = 0
    with target.open("w", encoding="utf-8") as file:
        for one in rows:
            file.write(json.dumps(one, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_rows(path: str | Path) -> Iterator[Row]:
    """The rows of a .parquet or .jsonl file, lazily.

    Raises `TaskError` for a file that is not there or a row without the columns.
    """
    source = _checked(path)
    if not source.is_file():
        raise TaskError(f"there is no file {str(path)!r}; `tts train-data` writes one")
    values = _read_parquet(source) if source.suffix == ".parquet" else _read_jsonl(source)
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict) or (missing := sorted(Row.__required_keys__ - value.keys())):
            if not isinstance(value, dict):
                raise TaskError(f"{path}, row {number}: a training row is a JSON object, not {type(value).__name__}")
            has = ", ".join(map(repr, value)) or "none"
            raise TaskError(f"{path}, row {number}: a training row has no column {missing[0]!r}; it has {has}")
        yield value  # type: ignore[misc]  # its keys are checked, and nothing else is promised


def _checked(path: str | Path) -> Path:
    if Path(path).suffix not in ENDINGS:
        raise ConfigError(f"training rows are in {' or '.join(ENDINGS)} files, and {str(path)!r} is neither")
    return Path(path)


def _read_jsonl(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line.decode("utf-8"))
            except json.JSONDecodeError as error:
                raise TaskError(f"{path}, line {number}: {error.msg} (column {error.colno})") from error
            except UnicodeDecodeError as error:
                raise TaskError(f"{path}, line {number}: this is not UTF-8 text ({error.reason})") from error


def _read_parquet(path: Path) -> Iterator[Any]:
    pa, parquet = _pyarrow()
    try:
        opened = parquet.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise TaskError(f"{path} is not a Parquet file: {error}") from error
    with opened as file:
        for batch in file.iter_batches(batch_size=_CHUNK):
            yield from batch.to_pylist()


def _write_parquet(path: Path, rows: Iterator[Row]) -> int:
    pa, parquet = _pyarrow()
    text = pa.string()
    messages = pa.list_(pa.struct([("role", text), ("content", text)]))
    columns = {"prompt": messages, "completion": messages, "objective": text, "n_correct": pa.int64()}
    schema, count = pa.schema(columns | {"problem_id": text, "provenance": text}), 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while chunk := list(islice(rows, _CHUNK)):
            writer.write_table(pa.Table.from_pylist(chunk, schema))
            count += len(chunk)
    return count


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingDependencyError("Parquet files need 'pyarrow'; pip install 'ttscale[train]'") from error
    return pa, parquet
