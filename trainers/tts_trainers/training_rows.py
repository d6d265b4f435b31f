"""Training rows on disk as a memory-mapped dataset: a file, a folder of `tts train-data`, or a data set of the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tts import ConfigError, TTSError
from tts_trainers.hybrid_recipe import DataSection
from tts_trainers.rows import ENDINGS, Row, read_rows

if TYPE_CHECKING:
    from datasets import Dataset

_HUB = "hub:"


class Sources(NamedTuple):
    """Where the rows of the two sides are: files, or `hub:org/name`."""

    train: str
    evaluation: str | None


def find_rows(data: DataSection) -> Sources:
    """The files that a recipe names; a folder of `tts train-data` has both sides in it.

    Raises `ConfigError` where there is none.
    """
    if data.train is None:
        raise ConfigError("data.train is not set: give the training rows with --data FILE; `tts train-data` makes them")
    train = _found("data.train", data.train, "train")
    beside = _in_folder(Path(data.train), "evaluation") if Path(data.train).is_dir() else None
    evaluation = beside if data.evaluation is None else _found("data.evaluation", data.evaluation, "evaluation")
    if evaluation == train:
        raise ConfigError(f"data.evaluation is the same as data.train ({train!r}); a problem belongs on one side only")
    # Of a small data set nothing may be left for evaluation.
    return Sources(train, evaluation if evaluation is not None and _has_rows(evaluation) else None)


def open_rows(source: str, cache: Path) -> Dataset:
    """The rows, with the columns of `Row`; what is copied for it lies under `cache`.

    Raises `ConfigError` or `TaskError` for what cannot be read.
    """
    from datasets import Dataset, Features, List, Value
    from datasets.exceptions import DatasetGenerationError

    if source.startswith(_HUB):
        return _of_hub(source)
    if not _has_rows(source):
        raise ConfigError(f"{source!r} holds no rows")
    message = List({"role": Value("string"), "content": Value("string")})
    features = {name: Value("string") for name in Row.__annotations__}
    features |= {"prompt": message, "completion": message, "n_correct": Value("int64")}
    try:
        return Dataset.from_generator(
            _rows,
            features=Features(features),
            gen_kwargs={"path": source},
            cache_dir=str(cache / file_version(source)),
        )
    except DatasetGenerationError as error:
        if isinstance(error.__cause__, TTSError):
            raise error.__cause__ from None
        raise ConfigError(f"{source!r} cannot be read as training rows: {error.__cause__ or error}") from error


def _of_hub(source: str) -> Dataset:
    from datasets import load_dataset

    try:
        rows = load_dataset(source.removeprefix(_HUB), split="train")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{source!r} cannot be read: {str(error).splitlines()[0]}") from error
    if missing := sorted(Row.__annotations__.keys() - set(rows.column_names)):
        has = ", ".join(rows.column_names)
        raise ConfigError(f"{source!r} holds no training rows: it has no column {missing[0]!r} (it has {has})")
    return rows.select_columns(list(Row.__annotations__))


def _rows(path: str) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(read_rows(path), 1):
        if not (_are_messages(row["prompt"]) and _are_messages(row["completion"]) and len(row["completion"]) == 1):
            raise ConfigError(
                f"{path}, row {number}: prompt must be a list of messages {{role, content}}, and completion a list of "
                "one such message"
            )
        yield {name: row[name] for name in Row.__annotations__}  # type: ignore[literal-required]  # its own names


def _are_messages(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_message(message) for message in value)


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"role", "content"} and isinstance(value["content"], str)


def file_version(source: str) -> str:
    """Changes with the file, so that nothing of an older one is used."""
    path = Path(source).absolute()
    status = path.stat()
    return hashlib.blake2b(f"{path}\0{status.st_size}\0{status.st_mtime_ns}".encode(), digest_size=8).hexdigest()


def _has_rows(source: str) -> bool:
    return source.startswith(_HUB) or next(read_rows(source), None) is not None


def _found(key: str, source: str, side: str) -> str:
    if source.startswith(_HUB):
        return source
    path = Path(source)
    if path.is_dir():
        if (file := _in_folder(path, side)) is None:
            raise ConfigError(f"{key} = {source!r} has neither {side}.parquet nor {side}.jsonl in it")
        return file
    if not path.is_file():
        raise ConfigError(f"{key} = {source!r} is no file; give a .jsonl or .parquet file, a folder, or hub:org/name")
    return source


def _in_folder(folder: Path, side: str) -> str | None:
    return next((str(folder / f"{side}{end}") for end in ENDINGS if (folder / f"{side}{end}").is_file()), None)
