"""One batch on the disk: its requests, what is known of it, its answers."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tts_backends.openai_batch.row import Answer, Row

ANSWERS, ERRORS = ".out.jsonl", ".err.jsonl"


class State(NamedTuple):
    """What is known of a batch; it survives the process.

    `file` and `batch` are the service's names of the uploaded requests and of the batch. `over` says that nothing more
    will come, and `why` what kept it from being done.
    """

    file: str = ""
    batch: str = ""
    status: str = ""
    over: bool = False
    why: str = ""


class Entry:
    """The files of one batch in a ledger's folder; all are written at once or not at all."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._ids: tuple[str, ...] | None = None

    @property
    def requests(self) -> Path:
        """The file of requests, in the form of the interface."""
        return self.folder / f"{self.name}.jsonl"

    @property
    def answers(self) -> Path:
        """The file that has, or will have, the answers."""
        return self.folder / f"{self.name}{ANSWERS}"

    @property
    def errors(self) -> Path:
        """The file of requests that failed, where the service has one of its own."""
        return self.folder / f"{self.name}{ERRORS}"

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of its requests."""
        if self._ids is None:
            with self.requests.open("rb") as lines:
                self._ids = tuple(Row.id_in(line) for line in lines)
        return self._ids

    @property
    def state(self) -> State:
        """What is known of it now; another process may have found out more."""
        try:
            found = json.loads((self.folder / f"{self.name}.json").read_text("utf-8"))
        except FileNotFoundError:
            return State()
        return State(**{name: found[name] for name in State._fields if name in found})

    def note(self, **changes: Any) -> State:
        """Write down what is known now; it is on the disk when this returns."""
        state = self.state._replace(**changes)
        write_safely(self.folder / f"{self.name}.json", [json.dumps(state._asdict(), indent=1).encode()])
        return state

    def answers_to(self, ids: Collection[str]) -> dict[str, Answer]:
        """The answers to these requests, as far as there are any; a good one counts before others."""
        found: dict[str, Answer] = {}
        for path in (self.errors, self.answers):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as lines:
                for line in lines:
                    read = Answer.read(line)
                    if read is not None and read[0] in ids and not (read[0] in found and found[read[0]].good):
                        found[read[0]] = read[1]
        return found

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Whether this process may send it to the service: one at a time may, and a process that ends lets go."""
        with holding(self.folder / f"{self.name}.lock", wait=False) as mine:
            yield mine

    def remove(self) -> None:
        """Delete it; the requests last, by which it is known."""
        for ending in (ANSWERS, ERRORS, ".json", ".lock", ".jsonl"):
            (self.folder / f"{self.name}{ending}").unlink(missing_ok=True)


@contextlib.contextmanager
def holding(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock that no other process has, nor another part of this one; whether it is held."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def write_safely(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file that is whole and on the disk, or not there; what it holds is nobody else's business."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
