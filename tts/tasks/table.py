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
    """`task:table:FILE` or `task:table:hub:ORG/NAME`, with what its columns are called and how answers are graded.

    `tolerance` is how far a number may be from the gold answer, as `0.01` or `1%`; its grader is `numeric` then.
    `split`, `config` and `revision` are for the hub. `sha256` is the checksum of the file, or the beginning of one.
    """

    name: ClassVar[str] = "table"
    argument: ClassVar[str | None] = "source"

    source: str
    id: str | None = None
    problem: str | None = None
    answer: str | None = None
    tolerance: str | None = Field(None, pattern=r"^\d*\.?\d+([eE]-?\d+)?%?$", coerce_numbers_to_str=True)
    split: str | None = None
    config: str | None = None
    revision: str | None = None
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{8,64}$")

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
