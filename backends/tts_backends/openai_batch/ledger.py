"""Which batch has which request: a folder that every process of a user shares."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tts import BackendError
from tts_backends.openai_batch.entry import ANSWERS, ERRORS, Entry, holding, write_safely
from tts_backends.openai_batch.row import Row

MOST_BYTES = 200_000_000
"""Bytes of one file of requests, as OpenAI's interface limits them."""

_PREFIX = "tts-"  # of a batch's name
_DRAFT = 86_400.0  # seconds after which nobody writes a file any more
_KEPT = 35 * 86_400.0  # seconds: services keep answers for thirty days


class Placed(NamedTuple):
    """Where requests are: by name of the request, its batch; and which of these batches are new."""

    where: dict[str, Entry]
    new: list[Entry]


class Ledger:
    """The batches of one model at one service.

    A request belongs to the batch whose file has it, from when that file is on the disk: before anything is sent. So a
    process that is killed at any moment leaves behind either no batch, or one that the next process goes on with.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries: dict[str, Entry] = {}
        self._where: defaultdict[str, list[Entry]] = defaultdict(list)  # the batches with a request

    def place(self, rows: Sequence[Row], most: int) -> Placed:
        """Have each request in a batch: in the one that it is in, else in a new one of at most so many.

        One that a finished batch left without a good answer is in none. Raises `BackendError` where the folder cannot
        be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with holding(self.folder / "lock", wait=True):
                self._look()
                where = self._kept([row.id for row in rows])
                new = []
                for part in _parts([row for row in rows if row.id not in where], most):
                    new.append(self._write(part))
                    where |= {row.id: new[-1] for row in part}
                return Placed(where, new)
        except OSError as error:
            raise BackendError(
                f"the ledger {str(self.folder)!r} cannot be used: {error.strerror or error}; give a folder of yours by "
                "@ledger="
            ) from error

    def _look(self) -> None:
        """Learn of batches that others have made, and forget those that are over for long."""
        endings = (ANSWERS, ERRORS)
        names = {path.stem for path in self.folder.glob(f"{_PREFIX}*.jsonl") if not path.name.endswith(endings)}
        for name in sorted(names - self._entries.keys()):
            self._add(Entry(self.folder, name))
        for draft in self.folder.glob("*.draft"):  # of processes that were killed
            with contextlib.suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > _DRAFT:
                    draft.unlink()
        for name in sorted(self._entries):
            entry = self._entries[name]
            if name not in names or (_age(entry) > _KEPT and entry.state.over):
                for one in entry.ids:
                    self._where[one].remove(entry)
                entry.remove()
                del self._entries[name]

    def _add(self, entry: Entry) -> None:
        self._entries[entry.name] = entry
        for name in entry.ids:
            self._where[name].append(entry)

    def _kept(self, ids: Sequence[str]) -> dict[str, Entry]:
        """The batches that have these requests, or good answers to them."""
        asked: defaultdict[Entry, set[str]] = defaultdict(set)
        for name in ids:
            for entry in self._where.get(name, ()):
                asked[entry].add(name)
        found: dict[str, Entry] = {}
        for entry, mine in asked.items():
            if entry.state.over:
                mine = {name for name, answer in entry.answers_to(mine).items() if answer.good}
            found |= dict.fromkeys(mine, entry)
        return found

    def _write(self, rows: Sequence[Row]) -> Entry:
        name = f"{_PREFIX}{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        entry = Entry(self.folder, name)
        write_safely(entry.requests, (row.line for row in rows))
        self._add(entry)
        return entry


def _age(entry: Entry) -> float:
    try:
        return time.time() - entry.requests.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _parts(rows: Iterable[Row], most: int) -> Iterable[list[Row]]:
    """The requests in files that are not too long."""
    part: list[Row] = []
    size = 0
    for row in rows:
        if part and (len(part) >= most or size + len(row.line) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row.line)
    if part:
        yield part
