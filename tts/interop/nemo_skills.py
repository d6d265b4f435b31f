"""NeMo-Skills: `output-rs0.jsonl`, `output-rs1.jsonl`, …, one file per random seed, with the same problem on each line.

From the documented format and its generation script; the tool itself was not run. The files are read side by side.
Neither the model nor the prompt is in them; where the problem is not either, it is joined from a task.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tts.interop._foreign import Converted, other_columns, question_of, response, text_at, usage_of
from tts.rows.files import Row, rows_of_file
from tts.vocabulary.errors import TaskError

_NAME = re.compile(r"output-rs(\d+)\.jsonl")
_OWN = ("generation", "_full_generation", "reasoning_content", "serialized_output", "messages", "predicted_answer")


def holds(path: Path, first: Mapping[str, Any]) -> bool:
    """A folder with `output-rs*.jsonl`, or one of those files."""
    if path.is_dir():
        return any(_NAME.fullmatch(file.name) for file in path.iterdir())
    return (_NAME.fullmatch(path.name) is not None or path.name == "output.jsonl") and "generation" in first


def rows(path: Path) -> Iterator[Row]:
    """One row per problem, its candidates in the order of the seeds; of a file, all that stand beside it."""
    folder = path if path.is_dir() else path.parent
    numbered = sorted((int(match[1]), file) for file in folder.iterdir() if (match := _NAME.fullmatch(file.name)))
    files = [file for _, file in numbered] if path.is_dir() or _NAME.fullmatch(path.name) else [path]
    if not files:
        raise TaskError(f"{path} has no file output-rs0.jsonl; give the folder that NeMo-Skills wrote them to")
    for number, together in enumerate(zip_longest(*map(rows_of_file, files)), 1):
        yield _joined(list(together), files, number)


def _joined(together: list[Row | None], files: list[Path], number: int) -> Row:
    first = next(row for row in together if row is not None)
    try:
        found = [_checked(row, file, number) for row, file in zip(together, files, strict=True)]
        questions = [_question(row) for row in found]
        for row, question in zip(found, questions, strict=True):
            if question != questions[0]:
                raise row.error(f"another problem than line {number} of {files[0].name}; the files are not of one run")
        return first._replace(value=_convert(found, questions[0]))
    except TaskError as error:
        return first._replace(value=error)


def _checked(row: Row | None, file: Path, number: int) -> Row:
    if row is None:
        raise TaskError(f"{file} ends before line {number}, which others of the run have; it is not finished")
    if isinstance(row.value, TaskError):
        raise row.value
    if not isinstance(row.value, Mapping):
        raise row.error(f"a value of type {type(row.value).__name__} is not a generation")
    return row


def _question(row: Row) -> str | None:
    """What was asked; results of an evaluation may leave it to the task."""
    return question_of(row.value)


def _convert(found: list[Row], question: str | None) -> Converted:
    value = found[0].value
    kept = {name: one for name, one in other_columns(value).items() if not _of_generation(name)}
    identity = {} if value.get("id") in (None, "") else {"id": str(kept.pop("id"))}
    return {
        **identity,
        **({} if question is None else {"problem": question}),
        "answer": value.get("expected_answer", value.get("answer")),
        "candidates": [_candidate(row) for row in found],
        "metadata": kept,
    }


def _of_generation(name: str) -> bool:
    return name in _OWN or name.startswith(("num_", "generation_", "interleaved_")) or name.endswith("_correct")


def _candidate(row: Row) -> Converted:
    value = row.value
    text = value.get("_full_generation") or text_at(row, "generation")
    correct = next((value[name] for name in ("is_correct", "symbolic_correct") if name in value), None)
    return {
        **response(value.get("reasoning_content"), text),
        "usage": usage_of(value.get("num_input_tokens"), value.get("num_generated_tokens")),
        "predicted_answer": value.get("predicted_answer"),
        **({} if correct is None else {"correct": correct}),
    }
