"""The rows of a source, whatever names it: a path, a text, a task, the hub, standard input, objects in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from tts.contracts.task import Task, task
from tts.registry.host import plugins
from tts.rows.files import Row, is_file_name, rows_of_file, rows_of_hub, rows_of_iterable, rows_of_stdin
from tts.sources.reference import parse_reference
from tts.vocabulary.errors import ConfigError, TaskError
from tts.vocabulary.records import CandidateSet, Example, Problem, Sampled


class Opened(Iterable[Any]):
    """Rows that come only once; `named` is what messages call their source."""

    def __init__(self, rows: Iterator[Row], named: str) -> None:
        self.named: str = named
        self._rows = rows

    @property
    def first(self) -> Row | None:
        """The first row, which is still to come; `None` where there are none."""
        first = next(self._rows, None)
        self._rows = self._rows if first is None else chain([first], self._rows)
        return first

    def __iter__(self) -> Iterator[Any]:
        return self._rows


Source = str | Path | Problem | Example | Task | Iterable[Any] | None


def at_hand(source: Any) -> Any:
    """The source; standard input, which can be read only once, as rows whose first can be looked at."""
    return Opened(rows_of_stdin(), "standard input") if isinstance(source, str) and source == "-" else source


def is_file(source: object) -> bool:
    """A path, or a text with the ending of a readable file."""
    return isinstance(source, Path) or (isinstance(source, str) and is_file_name(source))


def rows_of(source: Source) -> Iterator[Row]:
    """The rows, lazily; raises `ConfigError` for what is no source, `TaskError` for what cannot be read."""
    if isinstance(source, Opened):
        return iter(source)
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
