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

from tts.contracts.task import Task
from tts.interop import detect, rows_of_format
from tts.rows.candidates import sampled_of
from tts.rows.columns import check_columns, example_of
from tts.rows.files import Row, is_file_name
from tts.rows.held import held
from tts.rows.samples import by_problem
from tts.rows.tokens import ROLE
from tts.sources.joined import with_problems
from tts.sources.opening import Source, is_file, rows_of
from tts.store.address import is_store, shown_store
from tts.vocabulary.errors import ConfigError, TaskError
from tts.vocabulary.records import Example, Problem, Sampled

OnError = Literal["raise", "skip"]
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
    items = Reading(columns, limit, on_error).examples(source)
    return _begun(items) if is_file(source) or _is_set(source) else items


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
    for position, row in enumerate(rows_of(source), 1):
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
    problems: Source = None,
) -> Iterator[Sampled]:
    """Candidate sets that were sampled before, lazily: rows of problem, answer and candidates.

    Rows of one response each, such as `{problem, answer, response}`, are read whole and put together by their problem.

    A candidate is a text, split into thinking and summary at the `think` tags, or a mapping with a `text` and any other
    field of `tts.Candidate`. `extract` gives its answer. Lists as long as the candidates, such as scores, are kept in
    `problem.metadata["recorded"]`. Sources, columns and errors are those of `read_examples`; `format` names the tool
    that wrote the file (`tts.interop.FORMATS` lists them), which is else found out unless `columns` names the
    candidates. `problems` is a source of the problems where the rows have none, joined by id or else by place.
    """
    items = Reading(columns, limit, on_error).sets(source, think, extract, format, problems)
    return _begun(items) if is_file(source) else items


class Reading:
    """One reading of a source; `rows` and `dropped` count its rows so far, and those that were left out."""

    def __init__(self, columns: Mapping[str, str] | None, limit: int | None, on_error: OnError) -> None:
        if limit is not None and limit < 0:
            raise ConfigError(f"limit={limit} is negative; give the number of problems, or None for all")
        if on_error not in ("raise", "skip"):
            raise ConfigError(f"on_error={on_error!r} is neither 'raise' nor 'skip'")
        self.columns: dict[str, str] = check_columns(columns)
        self.limit: int | None = limit
        self.on_error: OnError = on_error
        self.rows: int = 0
        self.dropped: int = 0

    def examples(self, source: Source) -> Iterator[Example]:
        """The problems with their gold answers."""
        columns = self.columns
        return self._read(self._counted(rows_of(source)), lambda row, position: example_of(row, position, columns))

    def sets(
        self,
        source: Source,
        think: tuple[str, str] | None,
        extract: Callable[[str], str | None],
        format_: str | None = None,
        problems: Source = None,
    ) -> Iterator[Sampled]:
        """The candidate sets, their problems joined from another source where one is given."""
        found = format_ or (None if "candidates" in self.columns else detect(source))
        convert = partial(sampled_of, think=think, extract=extract)
        if found is None:
            rows, columns = _whole(self._joined(rows_of(source), problems), self.columns)
            return self._read(rows, partial(convert, columns=columns))
        if not isinstance(source, str | Path):
            raise ConfigError(f"format={found!r} is for files; give a path")
        rows = self._joined(rows_of_format(found, Path(source)), problems)
        return self._read(rows, partial(convert, columns=self.columns))

    def _joined(self, rows: Iterator[Row], problems: Source) -> Iterator[Row]:
        rows = self._counted(rows)
        return rows if problems is None else with_problems(rows, read_examples(problems), self.columns)

    def _counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.rows += 1
            yield row

    def _read(self, rows: Iterator[Row], convert: Callable[[Row, int], _Read]) -> Iterator[_Read]:
        return iter(()) if self.limit == 0 else self._converted(rows, convert)

    def _converted(self, rows: Iterator[Row], convert: Callable[[Row, int], _Read]) -> Iterator[_Read]:
        places: dict[str, str] = {}
        skipped: list[tuple[str, TaskError]] = []
        good = 0
        try:
            for position, row in enumerate(rows, 1):
                try:
                    item = convert(row, position)
                    _check_id(item, row, position, places)
                except TaskError as error:
                    if self.on_error == "raise":
                        raise
                    skipped.append((row.place, error))
                    self.dropped += 1
                    continue
                good += 1
                yield item
                if good == self.limit:
                    return
            if skipped and not good:
                raise TaskError(f"none of {len(skipped)} rows could be read; the first: {skipped[0][1]}")
        finally:
            if skipped and good:
                _warn(skipped, good)


def _whole(rows: Iterator[Row], columns: dict[str, str]) -> tuple[Iterator[Row], dict[str, str]]:
    """The rows with what their columns are called; put together by problem where the first has one response."""
    seen = []
    for row in rows:
        seen.append(row)
        if isinstance(row.value, TaskError):
            continue
        rows = chain(seen, rows)
        if not _has_one_response(row, columns):
            return rows, columns
        beside = {role: name for role, name in columns.items() if role == ROLE}
        return by_problem(rows, {role: name for role, name in columns.items() if role not in beside}), beside
    return iter(seen), columns


def _has_one_response(row: Row, columns: Mapping[str, str]) -> bool:
    try:
        there = held(row, columns) if isinstance(row.value, Mapping) else None
    except TaskError:
        return False
    return there is not None and there.shape == "sample"


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
