"""Rows of a training file in TRL's conversational `prompt` / `completion` form.

A model is to be trained on what it sees later, so prompts come from `tts.prompts` and are never written here.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict, cast, get_args

from tts import ConfigError, Message, MissingDependencyError, TaskError
from tts.output.file import whole_file
from tts.output.text import json_line, mended_row

log = logging.getLogger("tts.train")

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
    with whole_file(target) as part, part.open("w", encoding="utf-8") as file:
        for one in rows:
            file.write(json_line(one) + "\n")
            count += 1
    return count


def read_rows(path: str | Path) -> Iterator[Row]:
    """The rows of a .parquet or .jsonl file, lazily, each as `checked_row` gives it.

    Raises `TaskError` for a file that is not there or cannot be read.
    """
    source = _checked(path)
    if not source.is_file():
        raise TaskError(f"there is no file {str(path)!r}; `tts train-data` writes one")
    values = _read_parquet(source) if source.suffix == ".parquet" else _read_jsonl(source)
    guessed = 0
    for number, value in enumerate(values, 1):
        guessed += says_no_objective(value)
        yield checked_row(value, f"{path}, row {number}")
    if guessed:
        log.warning("%r: %d rows say no objective and are taken as direct ones", str(path), guessed)


def checked_row(value: object, where: str) -> Row:
    """The columns of a row that somebody else may have written; other columns are left out.

    Harmless spellings become ours: an id that is a number, an N_c like `2.0`, a provenance that is an object or none.
    So do TRL's forms: `messages` that end in the assistant's turn, `reasoning_content` beside the content, and rows
    that have neither objective (they are direct ones), id (it is the prompt's), N_c nor provenance. Raises `TaskError`
    that names the row and the column.
    """
    if not isinstance(value, Mapping):
        raise TaskError(f"{where}: a training row is a JSON object, not {type(value).__name__}")
    value = _filled(_parted(value))
    if missing := sorted(Row.__required_keys__ - value.keys()):
        has = ", ".join(map(repr, value)) or "none"
        raise TaskError(f"{where}: a training row has no column {missing[0]!r}; it has {has}")
    found = {name: _COLUMNS[name].read(value[name]) for name in Row.__annotations__}
    if wrong := [name for name, kept in found.items() if kept is _WRONG]:
        seen = repr(value[wrong[0]])
        raise TaskError(
            f"{where}: the column {wrong[0]!r} must be {_COLUMNS[wrong[0]].what}, and is "
            f"{seen if len(seen) <= _SHOWN else f'{seen[:_SHOWN]}…'}"
        )
    return cast("Row", found)


_WRONG, _SHOWN = object(), 60
_SPOKEN = ("role", "content")
_THOUGHT = ("reasoning_content", "reasoning", "thinking")  # as servers and chat templates call it


def says_no_objective(value: object) -> bool:
    """Whether it is guessed that a row is a direct one."""
    return isinstance(value, Mapping) and value.get("objective") is None


def _parted(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """`messages` as prompt and completion."""
    messages = value.get("messages")
    if "prompt" in value or "completion" in value or not isinstance(messages, list) or len(messages) < 2:
        return value
    return {**value, "prompt": messages[:-1], "completion": messages[-1:]}


def _filled(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a stranger's row leaves out."""
    if "prompt" not in value or "completion" not in value:
        return value
    digest = hashlib.blake2b(json.dumps(value["prompt"], default=str).encode(), digest_size=8).hexdigest()
    given = {"objective": "direct", "n_correct": None, "problem_id": f"prompt-{digest}", "provenance": None}
    return given | {name: one for name, one in value.items() if one is not None or name != "objective"}


def _plain(message: Any) -> Any:
    """A message with its thinking in the content, and without fields that hold nothing."""
    if not isinstance(message, dict):
        return message
    rest = {name: one for name, one in message.items() if one is not None and name not in _THOUGHT}
    thought = next((message[name] for name in _THOUGHT if isinstance(message.get(name), str)), "")
    if thought.strip() and message.get("role") == "assistant" and _is_text(rest.get("content")):
        rest["content"] = f"<think>\n{thought.strip()}\n</think>\n\n{rest['content'].lstrip()}"
    return rest


class _Column(NamedTuple):
    """What a column holds, in words, and its value as we write it, or `_WRONG`."""

    what: str
    read: Callable[[Any], Any]


def _messages(value: Any) -> Any:
    if not isinstance(value, list) or not value:
        return _WRONG
    plain = [_plain(message) for message in value]
    return plain if all(map(_is_message, plain)) else _WRONG


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == set(_SPOKEN) and all(map(_is_text, value.values()))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> Any:
    if value is None or value != value:  # what tables write for nothing
        return None
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    return int(value) if whole else _WRONG


def _id(value: Any) -> Any:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else _WRONG


def _origin(value: Any) -> Any:
    if value is None or isinstance(value, dict):
        return json.dumps(value or {}, sort_keys=True)
    return value if isinstance(value, str) else _WRONG


_COLUMNS = {
    "prompt": _Column("a list of messages {role, content}", _messages),
    "completion": _Column(
        "a list of one message {role, content}",
        lambda value: _messages(value) if isinstance(value, list) and len(value) == 1 else _WRONG,
    ),
    "objective": _Column("'direct' or 'refine'", lambda value: value if value in OBJECTIVES else _WRONG),
    "n_correct": _Column("a whole number or nothing", _count),
    "problem_id": _Column("text", _id),
    "provenance": _Column("an object or its JSON text", _origin),
}


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
        try:
            for batch in file.iter_batches(batch_size=_CHUNK):
                yield from batch.to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise TaskError(f"{path} cannot be read to its end: {error}") from error


def _write_parquet(path: Path, rows: Iterator[Row]) -> int:
    pa, parquet = _pyarrow()
    text = pa.string()
    messages = pa.list_(pa.struct([("role", text), ("content", text)]))
    columns = {"prompt": messages, "completion": messages, "objective": text, "n_correct": pa.int64()}
    schema, count = pa.schema(columns | {"problem_id": text, "provenance": text}), 0
    with whole_file(path) as part, parquet.ParquetWriter(part, schema, compression="zstd") as writer:
        while chunk := list(islice(rows, _CHUNK)):
            writer.write_table(pa.Table.from_pylist(mended_row(chunk), schema))
            count += len(chunk)
    return count


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingDependencyError("Parquet files need 'pyarrow'; pip install 'ttscale[train]'") from error
    return pa, parquet
