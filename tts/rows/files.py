"""Rows of whatever holds problems: files, standard input, the hub, any iterable; one after the other.

Decisions: a row that cannot be read is a row all the same, with the reason as its value, so that who reads on may skip
it; text files are decoded line by line, so that a bad byte costs one line; only a `.json` array is read whole.
"""

from __future__ import annotations

import csv
import difflib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tts.vocabulary.errors import MissingDependencyError, TaskError, did_you_mean

_CSV_FIELD_LIMIT = 2**31 - 1  # the module's own 131,072 characters are less than one long reasoning trace


class Row(NamedTuple):
    """One record: its place in words, e.g. `line 3` of `problems.jsonl`, and its value.

    `source` is empty where the records were handed over in memory. A `TaskError` as value says why there is none.
    """

    source: str
    place: str
    value: Any

    @property
    def where(self) -> str:
        """Source and place, as messages name them."""
        return f"{self.source}, {self.place}" if self.source else self.place

    def error(self, what: str) -> TaskError:
        """An error about this row."""
        return TaskError(f"{self.where}: {what}")


def rows_of_file(path: Path) -> Iterator[Row]:
    """The records of a .jsonl, .json, .csv, .tsv or .parquet file."""
    if path.is_dir():
        raise TaskError(f"{path} is a folder; name a file in it")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        kind = f"a {path.suffix} file" if path.suffix else "a file without ending"
        raise TaskError(f"{path}: {kind} is not readable; readable: {', '.join(_READERS)}")
    if not path.exists():
        raise TaskError(f"there is no file {str(path)!r}{_neighbours(path)}")
    rows = _guard(reader(path), path)
    first = next(rows, None)
    if first is None:
        raise TaskError(f"{path} has no rows")
    return chain([first], rows)


def is_file_name(text: str) -> bool:
    """A one-line string with the ending of a readable file."""
    return "\n" not in text and Path(text).suffix.lower() in _READERS


def rows_of_stdin() -> Iterator[Row]:
    """Standard input: JSON lines, or one problem per line where the first line is not a JSON object."""
    lines = _decoded(sys.stdin.buffer, "standard input")
    first = next(lines, None)
    if first is None:
        raise TaskError("standard input is empty; write one problem per line, or JSON lines, to it")
    lines = chain([first], lines)
    return map(_parsed, lines) if isinstance(_parsed(first).value, dict) else lines


def rows_of_hub(name: str, options: Mapping[str, str]) -> Iterator[Row]:
    """The rows of a dataset on the hub, streamed."""
    if not name:
        raise TaskError("hub: names no dataset; write e.g. 'hub:openai/gsm8k@config=main,split=test'")
    try:
        import datasets
    except ImportError as error:
        raise MissingDependencyError(f"reading hub:{name} needs 'datasets'; pip install 'ttscale[hub]'") from error
    unknown = sorted(set(options) - {"config", "split", "revision"})
    if unknown:
        raise TaskError(
            f"hub:{name} has no option {unknown[0]!r}{did_you_mean(unknown[0], ['config', 'split', 'revision'])}"
        )
    config, split, revision = options.get("config"), options.get("split"), options.get("revision")
    try:
        if split is None:
            split = _only_split(name, datasets.get_dataset_split_names(name, config, revision=revision))
        data = datasets.load_dataset(name, config, split=split, revision=revision, streaming=True)
        for number, value in enumerate(data, 1):
            yield Row(f"hub:{name}", f"row {number}", value)
    except TaskError:
        raise
    except Exception as error:
        raise TaskError(f"hub:{name} cannot be read: {type(error).__name__}: {_one_line(error)}") from error


def _only_split(name: str, splits: list[str]) -> str:
    if len(splits) == 1:
        return splits[0]
    raise TaskError(f"hub:{name} has the splits {', '.join(splits)}; choose one, e.g. 'hub:{name}@split={splits[-1]}'")


def rows_of_iterable(values: Iterable[Any]) -> Iterator[Row]:
    """The items of an iterable, or the rows of a pandas frame, which would iterate over its column names."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(values, pandas.DataFrame):
        values = _frame_rows(values)
    for number, value in enumerate(values, 1):
        yield Row("", f"problem {number}", value)


def _frame_rows(frame: Any, chunk: int = 1000) -> Iterator[Any]:
    for start in range(0, len(frame), chunk):
        lines = frame.iloc[start : start + chunk].to_json(orient="records", lines=True, date_format="iso")
        yield from map(json.loads, lines.split("\n")[: min(chunk, len(frame) - start)])


def _read_jsonl(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        yield from map(_parsed, _decoded(file, str(path)))


def _read_json(path: Path) -> Iterator[Row]:
    try:
        data = _loads(path.read_text("utf-8-sig"))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # JSON lines under a .json name, as the hub writes them
            yield from _read_jsonl(path)
            return
        raise TaskError(f"{path}, line {error.lineno}: {error.msg} (column {error.colno})") from error
    except RecursionError:
        raise TaskError(f"{path}: the JSON is nested too deeply") from None
    if not isinstance(data, list):
        data = [data]
    for number, value in enumerate(data, 1):
        yield Row(str(path), f"item {number}", value)


def _read_csv(path: Path, delimiter: str = ",") -> Iterator[Row]:
    csv.field_size_limit(_CSV_FIELD_LIMIT)
    with path.open("rb") as file:
        text = (_strict(row) for row in _decoded(file, str(path), keep=True))
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        header = next(reader, [])
        doubled = sorted({name for name in header if header.count(name) > 1})
        if doubled:
            raise TaskError(f"{path}: two columns are called {doubled[0]!r}; rename one")
        line = reader.line_num + 1
        try:
            for cells in reader:
                if cells:
                    yield _table_row(Row(str(path), f"line {line}", None), header, cells)
                line = reader.line_num + 1
        except csv.Error as error:
            raise TaskError(f"{path}, line {line}: {error}") from error


def _table_row(row: Row, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        return row._replace(
            value=row.error(f"{len(cells)} cells under {len(header)} columns; quote cells that contain the separator")
        )
    return row._replace(value={name: cell or None for name, cell in zip(header, cells, strict=True)})


def _read_tsv(path: Path) -> Iterator[Row]:
    return _read_csv(path, delimiter="\t")


def _read_parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingDependencyError(f"reading {path} needs 'pyarrow'; pip install 'ttscale[data]'") from error
    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64):
                for value in batch.to_pylist():
                    number += 1
                    yield Row(str(path), f"row {number}", value)
    except ArrowException as error:
        raise TaskError(f"{path}, after row {number}: not readable as Parquet: {_one_line(error)}") from error


_READERS = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
}


def _decoded(file: BinaryIO, source: str, *, keep: bool = False) -> Iterator[Row]:
    """The lines that are not blank, as text; all of them and with their ends if `keep`."""
    for number, raw in enumerate(file, 1):
        row = Row(source, f"line {number}", None)
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            yield row._replace(value=row.error(f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"))
            continue
        if keep or text.strip():
            yield row._replace(value=text if keep else text.strip())


def _parsed(row: Row) -> Row:
    if isinstance(row.value, TaskError):
        return row
    try:
        return row._replace(value=_loads(row.value))
    except json.JSONDecodeError as error:
        return row._replace(value=row.error(f"not JSON: {error.msg} (column {error.colno})"))
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of over 4,300 digits
        return row._replace(value=row.error(f"not readable as JSON: {_one_line(error)}"))


def _loads(text: str) -> Any:
    """The value of JSON text; half a surrogate pair, left by cutting text in UTF-16, becomes U+FFFD.

    It is no character, and nothing that writes UTF-8 (a store, a file, a server) would take it.
    """
    value = json.loads(text)
    return _whole(value) if "\\ud" in text.lower() else value


def _whole(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_whole(item) for item in value]
        case dict():
            return {_whole(key): _whole(item) for key, item in value.items()}
        case _:
            return value


def _strict(row: Row) -> str:
    if isinstance(row.value, TaskError):
        raise row.value  # a table cannot go on without the line: a quoted cell may span it
    return str(row.value)


def _guard(rows: Iterator[Row], path: Path) -> Iterator[Row]:
    """What reading a file may raise, as one sentence."""
    try:
        yield from rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TaskError(f"{path} cannot be read: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _neighbours(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"; there is no folder {str(folder)!r} either"
    names = sorted(p.name for p in folder.iterdir() if is_file_name(p.name))
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    if near:
        return f"; did you mean {' or '.join(map(repr, near))}?"
    return f"; readable there: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}" if names else ""
