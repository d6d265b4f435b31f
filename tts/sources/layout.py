"""How the rows of a source lie: a problem in each, a candidate set in each, or one response in each.

Decisions: several responses in a row are candidates by their column's name alone; one response in a row only where the
user names its column, or where rows of one problem follow, for many data sets of problems have such a column, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tts.contracts.task import Task
from tts.interop import detect
from tts.rows.columns import check_columns, choose
from tts.rows.files import Row
from tts.rows.held import Held, held
from tts.sources.opening import Opened, Source, is_file, rows_of
from tts.vocabulary.errors import ConfigError, TaskError
from tts.vocabulary.records import CandidateSet, Example, Problem, Sampled


class Layout(NamedTuple):
    """What each row of a source is; `columns` hold its candidates, `format` is the tool that wrote the file."""

    kind: Literal["problems", "sets", "samples"]
    columns: tuple[str, ...] = ()
    format: str | None = None


def layout_of(source: Source, columns: Mapping[str, str] | None = None) -> Layout:
    """Look at the first readable row, and at the problems of others where it has one response.

    Raises `TaskError` for a file that cannot be opened.
    """
    mapping = check_columns(columns)
    if "candidates" not in mapping and (found := detect(source)) is not None:
        return Layout("sets", (), found)
    if not may_be_rows(source):
        return Layout("problems")
    first = _first(source)
    if first is not None and isinstance(first.value, CandidateSet | Sampled):
        return Layout("sets")
    if first is None or not isinstance(first.value, Mapping):
        return Layout("problems")
    try:
        there = held(first, mapping)
    except TaskError:  # a column that is to hold candidates; who reads the row says what is wrong
        return Layout("sets")
    return _of(there, source, mapping)


def _of(there: Held | None, source: Source, columns: Mapping[str, str]) -> Layout:
    if there is None:
        return Layout("problems")
    if there.shape == "list":
        return Layout("sets", there.columns)
    if "candidates" in columns or (_is_near(source) and _repeats(rows_of(source), columns)):
        return Layout("samples", there.columns)
    return Layout("problems")


def _is_near(source: Source) -> bool:
    """It can be read to its end at leisure: neither only once, nor over a network."""
    return not isinstance(source, Opened) and not (isinstance(source, str) and source.startswith("hub:"))


def holds_candidates(source: Source, columns: Mapping[str, str] | None = None) -> bool:
    """The source holds candidate sets, or one response in each row; `False` for anything that holds problems."""
    return layout_of(source, columns).kind != "problems"


def may_be_rows(source: object) -> bool:
    """Something with rows that can be looked at before they are read: no text, no problem, no iterator."""
    if isinstance(source, str):
        return is_file(source) or source.startswith("hub:")
    return isinstance(source, Path | Mapping | Iterable) and not isinstance(
        source, Problem | Example | Task | bytes | Iterator
    )


def refuse_candidates(rows: Iterator[Row], columns: Mapping[str, str] | None) -> Iterator[Row]:
    """The rows of an iterator of problems; raises `ConfigError` where the first has candidates.

    It can only be read once, perhaps on one thread only, so nobody could look into it before.
    """
    first = next(rows, None)
    if first is None:
        return
    if isinstance(first.value, CandidateSet | Sampled) or _has_list(first, check_columns(columns)):
        raise ConfigError("the rows of this iterator hold candidates; give them as a list: list(rows)")
    yield first
    yield from rows


def _has_list(row: Row, columns: Mapping[str, str]) -> bool:
    try:
        there = held(row, columns) if isinstance(row.value, Mapping) else None
    except TaskError:
        return True
    return there is not None and (there.shape == "list" or "candidates" in columns)


def _first(source: Source) -> Row | None:
    if isinstance(source, Opened):
        return source.first
    return next((row for row in rows_of(source) if not isinstance(row.value, TaskError)), None)


def _repeats(rows: Iterator[Row], columns: Mapping[str, str]) -> bool:
    """Two rows have the same problem."""
    others = {role: name for role, name in columns.items() if role != "candidates"}
    seen: set[int] = set()
    for row in rows:
        key = _problem(row, others)
        if key is not None:
            if key in seen:
                return True
            seen.add(key)
    return False


def _problem(row: Row, columns: Mapping[str, str]) -> int | None:
    if not isinstance(row.value, Mapping):
        return None
    try:
        name = choose(row, "problem", columns)
    except TaskError:
        return None
    return None if name is None else hash(repr(row.value[name]))


def named(source: Any) -> str:
    """What messages call a source."""
    if isinstance(source, Opened):
        return source.named
    if isinstance(source, Path):
        return source.name
    if isinstance(source, str):
        return Path(source).name if is_file(source) else source
    return f"a {type(source).__name__}" if type(source).__name__ != "list" else "a list"
