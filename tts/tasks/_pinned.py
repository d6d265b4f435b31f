"""Published benchmarks: where one is on the hub, by what it is known to be the same one.

Decisions:
* Copies of a benchmark differ in columns, ids and white space, so what is pinned besides the hub's revision is a
  checksum of the gold answers, in any order: a copy in another form passes, one with other problems does not.
* A benchmark is small and is read whole and checked before the first problem is handed out, because a run on the
  wrong problems is worth nothing.
* No file of the hub was seen when the pins were written: ids, splits and revisions are unverified, and checksums are
  those of published copies; docs/tasks.md says which, and so does the error where one differs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from tts.contracts.task import Task
from tts.rows.columns import example_of
from tts.rows.files import Row, rows_of_file, rows_of_hub
from tts.vocabulary.errors import TaskError
from tts.vocabulary.records import Example

_ENDINGS = (".jsonl", ".parquet", ".json", ".csv", ".tsv")
_INTEGER = re.compile(r"[+-]?\d+")


class Pin(NamedTuple):
    """A published data set.

    `checksums` maps the number of rows of each edition to the checksum of its gold answers (`None`: not known).
    `files` are the names, without ending, under which a local copy is looked for beside the task's own.
    """

    hub: str
    split: str
    revision: str | None
    checksums: Mapping[int, str | None]
    config: str | None = None
    files: tuple[str, ...] = ()


def checksum(answers: list[str]) -> str:
    """SHA-256 of the gold answers in sorted order, without white space, `$` and leading zeros; 16 hex digits."""
    return hashlib.sha256("\n".join(sorted(map(_plain, answers))).encode()).hexdigest()[:16]


def _plain(answer: str) -> str:
    bare = re.sub(r"[\s$]", "", answer)
    return str(int(bare)) if len(bare) < 20 and _INTEGER.fullmatch(bare) else bare


class Benchmark(Task):
    """A published data set: from the hub at its pinned revision, or from a local copy.

    Iterating raises `TaskError` where a row cannot be read, the number of problems is wrong, or the answers are others.
    """

    pin: ClassVar[Pin]

    data_dir: Path | None = None
    """A local copy to read instead of the hub: the file, or the folder that holds it, in the hub's columns or the
    common ones. Without it the hub is asked for the pinned revision.
    """

    check: bool = True
    """Refuse a copy whose number of problems or whose answers are not those that are known. On by default (our choice:
    an accuracy on other problems is another number).
    """

    def examples(self) -> Iterator[Example]:
        """The examples in the order of the data set, checked first."""
        found = [self.example(row, position) for position, row in enumerate(self._rows(), 1)]
        if self.check:
            self._compare(found)
        yield from found

    def example(self, row: Row, position: int) -> Example:
        """The example in a row; columns are those in common use unless a task says otherwise."""
        return example_of(row, position, {})

    def _rows(self) -> Iterator[Row]:
        if self.data_dir is not None:
            return rows_of_file(self._file(self.data_dir.expanduser()))
        pin = self.pin
        options = {"split": pin.split, "config": pin.config, "revision": pin.revision}
        return rows_of_hub(pin.hub, {name: value for name, value in options.items() if value is not None})

    def _file(self, place: Path) -> Path:
        if not place.is_dir():
            return place
        stems = (self.name, *self.pin.files)
        paths = [place / f"{stem}{ending}" for stem in stems for ending in _ENDINGS]
        found = next((path for path in paths if path.is_file()), None)
        if found is None:
            raise TaskError(
                f"{place} has no copy of {self.name}; put {self.pin.hub} there as "
                f"{' or '.join(map(repr, stems))} with the ending {', '.join(_ENDINGS)}, or give the file as data_dir"
            )
        return found

    def _unseen(self) -> str:
        """Why a checksum may differ although the problems are the same."""
        seen = self.data_dir is not None
        return "" if seen else f" (the checksum is of published copies; the files of {self.pin.hub} were not seen)"

    def _compare(self, found: list[Example]) -> None:
        known = self.pin.checksums
        where = self.data_dir or f"hub:{self.pin.hub}"
        anyway = f"use task:{self.name}@check=false to run on it all the same"
        if len(found) not in known:
            counts = " or ".join(map(str, sorted(known)))
            raise TaskError(f"{self.name} has {counts} problems, {where} has {len(found)}; {anyway}")
        expected = known[len(found)]
        actual = checksum([example.answer or "" for example in found])
        if expected is not None and actual != expected:
            raise TaskError(
                f"{self.name}: the gold answers of {where} have the checksum {actual}, those known have {expected}, so "
                f"some problem or answer is another, or written another way{self._unseen()}; {anyway}"
            )


def text_of(row: Row, *names: str) -> Any:
    """The first of these columns that a row has.

    Raises `TaskError` where the row has none of them, or is none.
    """
    if isinstance(row.value, TaskError):
        raise row.value
    if not isinstance(row.value, Mapping):
        raise row.error(f"a value of type {type(row.value).__name__} is not a row of named columns")
    for name in names:
        if row.value.get(name) not in (None, ""):
            return row.value[name]
    raise row.error(f"no column {' or '.join(map(repr, names))}; it has {', '.join(map(repr, row.value)) or 'none'}")
