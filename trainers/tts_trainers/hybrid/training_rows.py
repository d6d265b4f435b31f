"""Training rows on disk as a memory-mapped dataset: a file, a folder of `tts train-data`, or a data set of the hub."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tts import ConfigError, TTSError
from tts_trainers.hybrid.recipe import DataSection
from tts_trainers.rows import ENDINGS, Row, checked_row, read_rows

if TYPE_CHECKING:
    from datasets import Dataset, Features

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

    message = List({"role": Value("string"), "content": Value("string")})
    columns = {name: Value("string") for name in Row.__annotations__}
    columns |= {"prompt": message, "completion": message, "n_correct": Value("int64")}
    if source.startswith(_HUB):
        return _of_hub(source, Features(columns))
    if not _has_rows(source):
        raise ConfigError(f"{source!r} holds no rows")
    try:
        return Dataset.from_generator(
            read_rows,
            features=Features(columns),
            gen_kwargs={"path": source},
            cache_dir=str(cache / file_version(source)),
        )
    except DatasetGenerationError as error:
        if isinstance(error.__cause__, TTSError):
            raise error.__cause__ from None
        raise ConfigError(f"{source!r} cannot be read as training rows: {error.__cause__ or error}") from error


def _of_hub(source: str, features: Features) -> Dataset:
    from datasets import load_dataset

    try:
        rows = load_dataset(source.removeprefix(_HUB), split="train")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{source!r} cannot be read: {str(error).splitlines()[0]}") from error
    if not len(rows):
        raise ConfigError(f"{source!r} holds no rows")
    return rows.map(_checked, True, fn_kwargs={"source": source}, remove_columns=rows.column_names, features=features)


def _checked(row: dict[str, Any], position: int, source: str) -> Row:
    return checked_row(row, f"{source}, row {position + 1}")


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
