"""Problems or candidate sets from files, the hub, standard input, tasks, anything iterable: lazily, one by one.

Decisions: rows are read as they are asked for, and only their ids are remembered; a broken row is one sentence that
says where, what and what to do; skipping is asked for and then told once, at the end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from tts.contracts.task import Task, task
from tts.interop import detect, rows_of_format
from tts.registry.host import plugins
from tts.rows.candidates import sampled_of
from tts.rows.columns import check_columns, choose, example_of
from tts.rows.files import Row, is_file_name, rows_of_file, rows_of_hub, rows_of_iterable, rows_of_stdin
from tts.sources.reference import parse_reference
from tts.store.address import is_store, shown_store
from tts.vocabulary.errors import ConfigError, TaskError
from tts.vocabulary.records import CandidateSet, Example, Problem, Sampled

OnError = Literal["raise", "skip"]
Source = str | Path | Problem | Example | Task | Iterable[Any] | None
_Read = TypeVar("_Read", Example, Sampled)
_log = logging.getLogger("tts")


def read_examples(
    source: Source = None,
    *,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_error: OnError = "raise",
) -> Iterator[Example]:
    """The problems of a source with their gold answers, lazily.

    `source` is nothing (the built-in task "sums"), a problem, example or task, a path, an iterable of texts, problems,
    examples or mappings, a pandas frame, or a string: `task:NAME[@parameter=value,...]`,
    `hub:ORG/NAME[@split=...,config=...,revision=...]`, `-` for standard input, a file ending in .jsonl, .json, .csv,
    .tsv or .parquet; any other string is itself the problem. `columns` maps id, problem and answer to the source's
    names, else those of `DEFAULT_COLUMNS` are tried. `limit` counts the examples that could be read.

    Raises `TaskError` for what cannot be read; with `on_error="skip"` broken rows are left out and logged once.
    """
    mapping = check_columns(columns)
    items = _read(_rows(source), lambda row, position: example_of(row, position, mapping), limit, on_error)
    return _begun(items) if _is_file(source) or _is_set(source) else items


class ReadRow(NamedTuple):
    """An example with the row that it was read from: its place in words, and all its columns as they are."""

    example: Example
    where: str
    columns: Mapping[str, Any]


def read_rows(source: Source = None, *, columns: Mapping[str, str] | None = None) -> Iterator[ReadRow]:
    """The rows of a source, lazily, for who needs more of them than problem and answer; ids may occur again.

    Sources, columns and errors are those of `read_examples`.
    """
    mapping = check_columns(columns)
    for position, row in enumerate(_rows(source), 1):
        example = example_of(row, position, mapping)
        yield ReadRow(example, row.where, row.value if isinstance(row.value, Mapping) else example.problem.metadata)


def read_candidate_sets(
    source: Source,
    *,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    on_error: OnError = "raise",
    think: tuple[str, str] | None = ("<think>", "</think>"),
    extract: Callable[[str], str | None],
    format: str | None = None,  # noqa: A002 - what everybody calls it
) -> Iterator[Sampled]:
    """Candidate sets that were sampled before, lazily: rows of problem, answer and candidates.

    A candidate is a text, split into thinking and summary at the `think` tags, or a mapping with a `text` and any other
    field of `tts.Candidate`. `extract` gives its answer. Lists as long as the candidates, such as scores, are kept in
    `problem.metadata["recorded"]`. Sources, columns and errors are those of `read_examples`; `format` names the tool
    that wrote the file ("lm-eval", "inspect", "nemo-skills", "lighteval", "evalscope"), which is else found out.
    """
    mapping = check_columns(columns)
    items = _read(
        _set_rows(source, format), partial(sampled_of, columns=mapping, think=think, extract=extract), limit, on_error
    )
    return _begun(items) if _is_file(source) else items


def _set_rows(source: Source, format_: str | None) -> Iterator[Row]:
    found = format_ or detect(source)
    if found is None:
        return _rows(source)
    if not isinstance(source, str | Path):
        raise ConfigError(f"format={found!r} is for files; give a path")
    return rows_of_format(found, Path(source))


def _is_file(source: Source) -> bool:
    return isinstance(source, Path) or (isinstance(source, str) and is_file_name(source))


def told_source(source: object) -> str:
    """A source as it may be told again: its reference or file, without the folder of this machine; else its kind."""
    if source is None:
        return "task:sums"
    if isinstance(source, Path) or (isinstance(source, str) and (is_file_name(source) or is_store(source))):
        return shown_store(source) if is_store(source) else Path(source).name
    if isinstance(source, str) and source.startswith(("task:", "hub:")):
        return source
    return "a problem" if isinstance(source, str | Problem | Example) else type(source).__name__


def _is_set(source: Source) -> bool:
    """A task or a data set of the hub, which may not be there."""
    return isinstance(source, Task) or (isinstance(source, str) and source.startswith(("task:", "hub:")))


def _begun(items: Iterator[_Read]) -> Iterator[_Read]:
    """The same, with the first one read: what is wrong with a file is known before a model is loaded for it."""
    first = next(items, None)
    return items if first is None else chain([first], items)


def holds_candidates(path: str | Path, columns: Mapping[str, str] | None = None) -> bool:
    """The first readable row of a file has a list of candidates; `False` for anything that is not a file."""
    if detect(path) is not None:
        return True
    if not _is_file(path):
        return False
    row = next((row for row in rows_of_file(Path(path)) if not isinstance(row.value, TaskError)), None)
    if row is None or not isinstance(row.value, Mapping):
        return False
    column = choose(row, "candidates", check_columns(columns))
    return column is not None and isinstance(row.value[column], list)


def _rows(source: Source) -> Iterator[Row]:
    if isinstance(source, (Problem, Example, CandidateSet, Sampled, Mapping)):
        return rows_of_iterable([source])
    if isinstance(source, Task):
        return rows_of_iterable(source.examples())
    if isinstance(source, Path):
        return rows_of_file(source)
    if source is None or isinstance(source, str):
        return _rows_of_text("task:sums" if source is None else source)
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise ConfigError(
            f"a value of type {type(source).__name__} is not a source of problems; give a path, text or an iterable"
        )
    return rows_of_iterable(source)


def _rows_of_text(source: str) -> Iterator[Row]:
    kind, _, rest = source.partition(":")
    if not source.strip():
        raise TaskError("the problem is empty")
    if source == "-":
        return rows_of_stdin()
    if kind == "task":
        reference = parse_reference(rest)
        return rows_of_iterable(task(reference.name, **reference.options).examples())
    if kind == "hub":
        return rows_of_hub(*parse_reference(rest))
    if is_file_name(source):
        return rows_of_file(Path(source).expanduser())
    if source in plugins().names("task"):
        raise TaskError(f"{source!r} is the name of a task; write 'task:{source}'")
    if len(source) < 256 and "\n" not in source and Path(source).exists():
        return rows_of_file(Path(source))
    return rows_of_iterable([source])


def _read(
    rows: Iterator[Row], convert: Callable[[Row, int], _Read], limit: int | None, on_error: OnError
) -> Iterator[_Read]:
    if limit is not None and limit < 0:
        raise ConfigError(f"limit={limit} is negative; give the number of problems, or None for all")
    if on_error not in ("raise", "skip"):
        raise ConfigError(f"on_error={on_error!r} is neither 'raise' nor 'skip'")
    return iter(()) if limit == 0 else _converted(rows, convert, limit, on_error)


def _converted(
    rows: Iterator[Row], convert: Callable[[Row, int], _Read], limit: int | None, on_error: OnError
) -> Iterator[_Read]:
    places: dict[str, str] = {}
    skipped: list[tuple[str, TaskError]] = []
    good = 0
    try:
        for position, row in enumerate(rows, 1):
            try:
                item = convert(row, position)
                _check_id(item, row, position, places)
            except TaskError as error:
                if on_error == "raise":
                    raise
                skipped.append((row.place, error))
                continue
            good += 1
            yield item
            if good == limit:
                return
        if skipped and not good:
            raise TaskError(f"none of {len(skipped)} rows could be read; the first: {skipped[0][1]}")
    finally:
        if skipped and good:
            _warn(skipped, good)


def _check_id(item: Example | Sampled, row: Row, position: int, places: dict[str, str]) -> None:
    problem = item.problem if isinstance(item, Example) else item.candidates.problem
    if (first := places.get(problem.id)) is not None:
        raise row.error(f"the id {problem.id!r} is already that of {first}; ids must differ")
    if problem.id != f"p{position:06d}":  # those given by position differ anyway and need no memory
        places[problem.id] = row.place


def _warn(skipped: list[tuple[str, TaskError]], good: int) -> None:
    unit = skipped[0][0].rpartition(" ")[0]
    places = ", ".join(place.rpartition(" ")[2] for place, _ in skipped[:20])
    more = f" and {len(skipped) - 20} more" if len(skipped) > 20 else ""
    _log.warning(
        "%d rows read, %d skipped (%s %s%s); the first: %s", good, len(skipped), unit, places, more, skipped[0][1]
    )
