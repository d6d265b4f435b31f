"""Problem, gold answer, metadata in a row of named columns.

Decisions: a column of the canonical name wins; otherwise one of the names in common use, whatever their case; two of
those are an error that names them, never a guess. A column that could be the gold answer, or a conversation that may
end in it, never becomes metadata, where a strategy could read it.
"""

from __future__ import annotations

import json
import numbers
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from tts.rows.choices import choices_of
from tts.rows.files import Row
from tts.vocabulary.errors import ConfigError, TaskError, did_you_mean
from tts.vocabulary.records import Example, Problem

DEFAULT_COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "problem_id", "question_id", "unique_id", "uid"),
    "problem": ("problem", "prompt", "question", "messages"),
    "answer": (
        *("answer", "gold", "gold_answer", "expected_answer", "final_answer", "ground_truth", "reference_answer"),
        *("target", "solution", "gt_answer", "gts", "correct_answer"),
    ),
    "candidates": (
        *("candidates", "responses", "samples", "completions", "generations", "outputs", "predictions"),
        "model_outputs",
    ),
    "completion_tokens": ("completion_tokens", "output_tokens", "generated_tokens", "num_generated_tokens"),
}
"""What each column may be called; the first name wins over the others."""

SAMPLE_COLUMNS = ("response", "sample", "completion", "generation", "output", "prediction", "model_output")
"""What a column may be called in which each row has one candidate."""


def check_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    """The mapping, once it maps nothing but the columns there are."""
    for key in columns or {}:
        if key not in DEFAULT_COLUMNS:
            raise ConfigError(f"columns cannot map {key!r}{did_you_mean(key, DEFAULT_COLUMNS)}")
    return dict(columns or {})


def example_of(row: Row, position: int, columns: Mapping[str, str]) -> Example:
    """The example in a row; without an id it is called by its position, `p000001` first.

    Raises `TaskError`.
    """
    value = row.value
    if isinstance(value, TaskError):
        raise value
    if isinstance(value, Example):
        return value
    if isinstance(value, Problem):
        return Example(problem=value)
    if isinstance(value, str):
        return _example(row, {"id": f"p{position:06d}", "prompt": value}, None)
    if isinstance(value, Mapping):
        return example_of_mapping(row, position, columns)
    raise row.error(
        f"a value of type {type(value).__name__} is not a problem; give text, a tts.Problem, a tts.Example or a mapping"
    )


def example_of_mapping(row: Row, position: int, columns: Mapping[str, str], left_out: Collection[str] = ()) -> Example:
    """The example in a row of named columns; those `left_out` do not become metadata."""
    id_, problem, answer = (choose(row, role, columns) for role in ("id", "problem", "answer"))
    if problem is None:
        raise missing(row, "problem")
    name, choices = None if id_ is None else row.value[id_], choices_of(row)
    right = gold(row, None if answer is None else row.value[answer])
    shown = () if choices is None else choices.columns
    fields = {
        "id": f"p{position:06d}" if name in (None, "") else str(name),
        "metadata": _metadata(row, {id_, problem, answer, *columns.values(), *left_out, *shown}),
        **_question(row, problem),
    }
    if choices is not None and "prompt" in fields:
        fields["prompt"], right = choices.below(fields["prompt"]), choices.letter(row, right)
    return _example(row, fields, right)


def _metadata(row: Row, left_out: Collection[str | None]) -> dict[str, Any]:
    names = [
        name
        for name, value in row.value.items()
        if not (name in left_out or str(name).lower() in ("metadata", "messages", *DEFAULT_COLUMNS["answer"]))
        and not (isinstance(value, list) and str(name).lower() in DEFAULT_COLUMNS["candidates"])
    ]
    own = nested(row, "metadata")
    rest = own if isinstance(own, Mapping) else {} if own is None else {"metadata": own}
    return jsonable({str(name): row.value[name] for name in names} | dict(rest))


def nested(row: Row, name: str) -> Any:
    """The value of a column that holds a mapping; in a table its JSON text."""
    value = row.value.get(name)
    if isinstance(value, str) and value.startswith(("{", "null")):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def jsonable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata that can be stored and reported, whatever a table or dataset held."""
    return to_jsonable_python(metadata, bytes_mode="base64", inf_nan_mode="null", fallback=repr)  # type: ignore[no-any-return]


def missing(row: Row, role: str) -> TaskError:
    """The error of a row without a column for a role that it must have."""
    known = " or ".join(map(repr, DEFAULT_COLUMNS[role]))
    has = ", ".join(map(repr, row.value)) or "none"
    how = f"columns={{{role!r}: ...}} (on the command line --columns {role}=NAME)"
    return row.error(f"no column {known}; it has {has}; map one with {how}, or let `tts adopt` guess")


def _example(row: Row, fields: dict[str, Any], answer: str | None) -> Example:
    try:
        return Example(problem=Problem(**fields), answer=answer)
    except ValidationError as error:
        first = error.errors()[0]
        raise row.error(
            f"{'.'.join(map(str, first['loc']))} {first['msg'].removeprefix('Value error, ')}".strip()
        ) from None


def _question(row: Row, column: str) -> dict[str, Any]:
    """Prompt or chat messages; a list, or its JSON in a table's cell, is messages."""
    value = row.value[column]
    if value is None or value == "":
        raise row.error(f"the column {column!r} is empty; the problem is missing")
    if isinstance(value, str) and column.lower() == "messages":
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise row.error(f"the column {column!r} is text; messages are a list of {{role, content}}") from None
    if isinstance(value, str):
        return {"prompt": value}
    if not isinstance(value, list) or not all(isinstance(m, Mapping) for m in value):
        raise row.error(
            f"the column {column!r} is of type {type(value).__name__}; a problem is text or a list of messages"
        )
    if value and value[-1].get("role") == "assistant":
        raise row.error(f"the last of the {column!r} is the assistant's, so nothing is asked; end with the user's")
    return {"messages": tuple({"role": m.get("role"), "content": m.get("content")} for m in value)}


def gold(row: Row, value: object) -> str | None:
    """A gold answer as text: `142.0` becomes `142`, a list its items, a blank one nothing.

    The worked solutions of GSM8K end in `#### answer`, which is the answer.
    """
    match value:
        case None | "":
            return None
        case bool():
            return str(value)
        case str():
            return value.rpartition("\n#### ")[2].strip() or None
        case Mapping():
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
        case list() | tuple():
            return ", ".join(filter(None, (gold(row, item) for item in value))) or None
        case Decimal() | numbers.Real():
            return _number(value)
    raise row.error(f"the answer is of type {type(value).__name__}; it must be text or a number; map another column")


def _number(value: Any) -> str | None:
    if value != value:  # not a number: what tables write for a missing one
        return None
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else str(value)


def choose(row: Row, role: str, columns: Mapping[str, str]) -> str | None:
    """The column of a row that plays a role.

    Raises `TaskError` where two could.
    """
    if role in columns:
        if columns[role] not in row.value:
            raise row.error(f"no column {columns[role]!r}{did_you_mean(columns[role], map(str, row.value))}")
        return columns[role]
    canonical, *others = DEFAULT_COLUMNS[role]
    taken = set(columns.values())
    present = [name for name in row.value if isinstance(name, str) and name not in taken]
    if role == "problem":  # a table of prompts and messages has both columns, one of them empty in each row
        present = [name for name in present if row.value[name] is not None] or present
    for names in ([canonical], others):
        found = [name for name in present if name.lower() in names]
        if len(found) > 1:
            choice = f"columns={{{role!r}: {found[0]!r}}}"
            raise row.error(f"{' and '.join(map(repr, found))} could both be the {role}; choose, e.g. {choice}")
        if found:
            return found[0]
    return None
