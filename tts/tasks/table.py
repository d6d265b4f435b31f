"""Any table of problems as a task: a file or a hub data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from tts.contracts.task import Task
from tts.sources.reading import read_examples
from tts.vocabulary.errors import TaskError
from tts.vocabulary.records import Example


class Table(Task):
    """`task:table:FILE` or `task:table:hub:ORG/NAME`, with what its columns are called and how answers are graded."""

    name: ClassVar[str] = "table"
    argument: ClassVar[str | None] = "source"

    source: str
    """Where the problems are: a file (.jsonl, .csv, .parquet ...) or `hub:ORG/NAME`; it may follow the task's name
    after a colon.
    """

    id: str | None = None
    """The column that names a problem; found by its usual names where not given, else the problems are numbered."""

    problem: str | None = None
    """The column of the problem's text; found by its usual names where not given."""

    answer: str | None = None
    """The column of the gold answer; found by its usual names where not given."""

    tolerance: str | None = Field(None, pattern=r"^\d*\.?\d+([eE]-?\d+)?%?$", coerce_numbers_to_str=True)
    """How far a number may be from the gold answer: absolute as `0.01`, or relative as `1%`. Where it is given, the
    grader is `numeric` unless you say otherwise. By default answers are compared by `grader` alone.
    """

    split: str | None = None
    """The split, for the hub only; by default the hub's own."""

    config: str | None = None
    """The configuration of the data set, for the hub only; by default the hub's own."""

    revision: str | None = None
    """The revision (a branch, a tag or a commit), for the hub only; by default the newest."""

    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{8,64}$")
    """The SHA-256 of the file in hexadecimal, or its first 8 digits or more: another file is refused. By default any
    file is read.
    """

    def model_post_init(self, _: object) -> None:
        """A tolerance is the grader's to heed."""
        if self.tolerance is not None and "grader" not in self.model_fields_set:
            object.__setattr__(self, "grader", "numeric")

    def examples(self) -> Iterator[Example]:
        """The examples, read as they are asked for."""
        self._check_file()
        columns = {role: name for role in ("id", "problem", "answer") if (name := getattr(self, role)) is not None}
        for example in read_examples(self._reference(), columns=columns):
            if self.tolerance is None or example.answer is None:
                yield example
            else:
                yield example.model_copy(update={"answer": f"{example.answer} ± {self.tolerance}"})

    def _reference(self) -> str | Path:
        if not self.source.startswith("hub:"):
            return Path(self.source).expanduser()
        options = {"split": self.split, "config": self.config, "revision": self.revision}
        given = ",".join(f"{name}={value}" for name, value in options.items() if value is not None)
        return f"{self.source}@{given}" if given else self.source

    def _check_file(self) -> None:
        path = Path(self.source).expanduser()
        if self.sha256 is None or self.source.startswith("hub:") or not path.is_file():
            return
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if not actual.startswith(self.sha256):
            raise TaskError(f"{path} has the SHA-256 {actual}, not {self.sha256}; it is not the file that was meant")
