"""The thread through which everything is written to a store.

It commits what comes within a hundredth of a second together (a twentieth where that is many rows), so a `kill -9`
loses at most what was in flight and what ended in that moment.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tts.store.database import Connection, Database
from tts.store.tables import INSERTS
from tts.vocabulary.errors import StoreError

GATHER_SECONDS = 0.01  # a commit of one row costs as much as its completion; a commit of ten, a fifth of that for each
BUSY_ROWS, BUSY_SECONDS = 32, 0.04  # more rows than that in one gathering: rarer commits leave the loop its processor
_ROWS_AT_ONCE = 256  # of six columns or fewer: far below SQLite's limit of 32,766 values


class Writer:
    """Takes rows from any thread. `failure` is why nothing can be written any more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | asyncio.Future[None] | None] = queue.SimpleQueue()
        self.failure: StoreError | None = None
        self._closed, self._closing = False, threading.Lock()
        self._thread = threading.Thread(target=self._run, name="tts-store", daemon=True)
        self._thread.start()

    def put(self, kind: str, values: tuple[Any, ...]) -> None:
        """Queue one row."""
        self._queue_up((kind, values))

    def _queue_up(self, item: tuple[str, tuple[Any, ...]] | asyncio.Future[None]) -> None:
        with self._closing:  # nothing comes after the last
            if self.failure or self._closed or not self._thread.is_alive():  # a fork has no writer
                raise self.failure or StoreError(f"store {self._database.name!r} is closed; open it again")
            self._queue.put(item)

    async def flushed(self) -> None:
        """Return when all that was put before is committed; raises `StoreError` where it could not be."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue_up(done)
        await done
        if self.failure is not None:
            raise self.failure

    def close(self) -> bool:
        """Commit what is queued, then end the thread; whether it was open until now."""
        with self._closing:
            if self._closed:
                return False
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        return True

    def _run(self) -> None:
        connection: Connection | None = None
        open_ = True
        while open_:
            batch = [self._queue.get()]
            try:
                self._gather(batch)
                if self.failure is None:
                    connection = connection or self._database.connect()
                    self._commit(connection, [item for item in batch if isinstance(item, tuple)])
            except BaseException as error:  # whatever it is, who waits must hear of it
                self.failure = self._database.error(error)
            open_ = None not in batch
            _settle([item for item in batch if isinstance(item, asyncio.Future)])
        if connection is not None:
            connection.close()

    def _gather(self, batch: list[Any]) -> None:
        if batch[0] is not None:
            time.sleep(GATHER_SECONDS)
            if self._queue.qsize() > BUSY_ROWS:
                time.sleep(BUSY_SECONDS)
        with suppress(queue.Empty):
            while len(batch) < 10_000:
                batch.append(self._queue.get_nowait())

    def _commit(self, connection: Connection, rows: list[tuple[str, tuple[Any, ...]]]) -> None:
        if not rows:
            return
        by_kind: dict[str, list[tuple[Any, ...]]] = {}
        for kind, values in rows:
            by_kind.setdefault(kind, []).append(values)
        with self._database.transaction(connection):
            for kind, found in by_kind.items():
                for start in range(0, len(found), _ROWS_AT_ONCE):
                    _insert(connection, kind, found[start : start + _ROWS_AT_ONCE])


def _insert(connection: Connection, kind: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """All rows in one statement, not by `executemany`: that gives up the GIL at each row and waits to have it back."""
    insert = INSERTS[kind]
    for part in insert.distinct(rows):
        connection.execute(insert.statement(len(part)), [value for row in part for value in row])


def _settle(waiting: Sequence[asyncio.Future[None]]) -> None:
    """Tell who waits, each loop once: waking one is a system call."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for done in waiting:
        by_loop.setdefault(done.get_loop(), []).append(done)
    for loop, found in by_loop.items():
        with suppress(RuntimeError):  # the loop that waited is closed: nobody is waiting any more
            loop.call_soon_threadsafe(_set_all, found)


def _set_all(waiting: Sequence[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)
