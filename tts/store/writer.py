"""The thread through which everything is written to a store.

It commits what comes within a hundredth of a second together (a twentieth where that is many rows), so a `kill -9`
loses at most what was in flight and what ended in that moment. Who wants to ask for something waits less.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from tts.bridge.waits import waiting
from tts.store.checksum import checksum
from tts.store.claims import Claimed, Claims, Wanted
from tts.store.codec import lacks
from tts.store.database import Connection, Database
from tts.store.link import Link
from tts.store.place import DamagedRow, Place, damaged, rows_at
from tts.store.tables import INSERTS
from tts.vocabulary.errors import StoreError

GATHER_SECONDS = 0.01  # a commit of one row costs as much as its completion; a commit of ten, a fifth of that for each
BUSY_ROWS, BUSY_SECONDS = 32, 0.04  # more rows than that in one gathering: rarer commits leave the loop its processor
CLAIM_SECONDS = 0.005  # a model may be idle meanwhile
POLL_SECONDS, POLL_GROWTH, POLL_AT_MOST = 0.01, 1.5, 0.25  # between looks for what others ask for
TELL_SECONDS = 60.0  # after so long without an answer it is said who is waited for
PAID = {"completion", "better completion", "call"}  # rows that a model was asked for
_ROWS_AT_ONCE = 256  # of six columns or fewer: far below SQLite's limit of 32,766 values


class Listener(NamedTuple):
    """Who is to hear of something, on which loop: an answer, or the `StoreError` that came instead."""

    loop: asyncio.AbstractEventLoop
    hear: Callable[[Any], None]


class Row(NamedTuple):
    """A row to write. The claim of its `place` is given up with it; `told` hears the text that is stored there then."""

    kind: str
    values: tuple[Any, ...]
    place: Place | None = None
    told: Listener | None = None


class _Ask(NamedTuple):
    wanted: Wanted
    told: Listener


class _Drop(NamedTuple):
    claims: frozenset[int]


class _Wait(NamedTuple):
    claims: frozenset[int]
    told: Listener
    future: asyncio.Future[None]


class _Flush(NamedTuple):
    told: Listener


_Item = Row | _Ask | _Drop | _Wait | _Flush
_Told = tuple[Listener, Any]  # who hears what


class Writer:
    """Takes rows and claims from any thread. `failure` is why nothing can be written any more."""

    def __init__(self, database: Database, lease_seconds: float) -> None:
        self._database = database
        self._claims = Claims(database, lease_seconds)
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._waiting: list[_Wait] = []
        self._pause, self._look_at, self._quiet_since = POLL_SECONDS, 0.0, 0.0
        self._link = Link(database)
        self.failure: StoreError | None = None
        self._closed, self._closing = False, threading.Lock()
        self._thread = threading.Thread(target=self._run, name="tts-store", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Queue one row."""
        self._queue_up(row)

    def drop(self, places: Collection[Place]) -> None:
        """Give up the claims of places for which there will be no row."""
        if places:
            self._queue_up(_Drop(frozenset(place.claim for place in places)))

    async def claim(self, wanted: Wanted) -> Claimed:
        """What one is to ask for, of all that one would ask for."""
        told: asyncio.Future[Claimed] = asyncio.get_running_loop().create_future()
        self._queue_up(_Ask(wanted, listener(told)))
        self._hurry.set()
        try:
            return await asyncio.shield(told)
        except asyncio.CancelledError:
            told.add_done_callback(self._give_back)
            raise

    def _give_back(self, told: asyncio.Future[Claimed]) -> None:
        with suppress(StoreError):
            self.drop(told.result().mine)

    async def freed(self, places: Iterable[Place]) -> None:
        """Return when nobody asks any more for one of these places: it has its row then, or may be claimed."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue_up(_Wait(frozenset(place.claim for place in places), listener(told), told))
        await told

    async def flushed(self) -> None:
        """Return when all that was put before is committed; raises `StoreError` where it could not be."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue_up(_Flush(listener(done)))
        await done

    def _queue_up(self, item: _Item) -> None:
        with self._closing:  # nothing comes after the last
            if self.failure or self._closed or not self._thread.is_alive():  # a fork has no writer
                closed = f"store {self._database.name!r} is closed; open it again"
                raise StoreError(str(self.failure or closed))  # a new one each time: each grows a traceback
            self._queue.put(item)

    def close(self) -> bool:
        """Commit what is queued, give up all claims, then end the thread; whether it was open until now."""
        with self._closing:
            if self._closed:
                return False
            self._closed = True
            self._queue.put(None)
        self._hurry.set()
        self._thread.join()
        return True

    # --- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        open_ = True
        while open_:
            batch, answers = self._first(), []
            try:
                if batch:
                    self._gather(batch)
                if self.failure is None:
                    self._waiting += [one for one in batch if isinstance(one, _Wait)]
                    answers = self._link.run(partial(self._commit, batch))
                    answers += self._link.run(self._look)
            except DamagedRow as error:
                self._fail(damaged(self._database.name, str(error)), batch)
            except BaseException as error:  # whatever it is, who waits must hear of it
                self._fail(self._database.error(error), batch)
            open_ = None not in batch
            self._answer(batch, answers)
        self._link.last(self._claims.leave)

    def _fail(self, failure: StoreError, batch: list[_Item | None]) -> None:
        """Nothing can be written any more: nothing more is taken, and what was taken is counted."""
        with self._closing:
            self.failure = failure
        with suppress(queue.Empty):
            while True:
                batch.append(self._queue.get_nowait())
        lost = sum(isinstance(one, Row) and one.kind in PAID for one in batch)
        if lost:
            answers = "one answer that was" if lost == 1 else f"{lost} answers that were"
            self.failure = StoreError(f"{failure}; {answers} paid for could not be stored")

    def _first(self) -> list[_Item | None]:
        with suppress(queue.Empty):
            return [self._queue.get(timeout=self._idle_seconds())]
        return []

    def _idle_seconds(self) -> float | None:
        """How long there is nothing to do, unless something comes."""
        if self.failure is not None:
            return None
        due = [self._look_at] if self._waiting else []
        if self._claims.held:
            due.append(self._claims.due)
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def _gather(self, batch: list[_Item | None]) -> None:
        if batch[0] is not None:
            hurried = self._hurry.wait(GATHER_SECONDS)
            if not hurried and self._queue.qsize() > BUSY_ROWS:
                hurried = self._hurry.wait(BUSY_SECONDS)
            if hurried:
                time.sleep(CLAIM_SECONDS)
        self._hurry.clear()
        with suppress(queue.Empty):
            while len(batch) < 10_000:
                batch.append(self._queue.get_nowait())

    def _commit(self, batch: Sequence[_Item | None], connection: Connection) -> list[_Told]:
        """Write, give up and claim in one transaction; who is to be told what."""
        rows = [one for one in batch if isinstance(one, Row)]
        asks = [one for one in batch if isinstance(one, _Ask)]
        done = self._claims.held & _given_up(batch)
        held = self._claims.held - done
        if not (rows or asks or done or (held and time.monotonic() >= self._claims.due)):
            return []
        with waiting(f"store {self._database.name!r} to be free"), self._database.transaction(connection):
            if asks or held:
                self._claims.renew(connection)
            answers = _write(connection, rows)
            self._claims.drop(connection, done)
            granted = self._claims.grant(connection, [one.wanted for one in asks], held) if asks else []
        self._claims.held = held.union(*([place.claim for place in one.mine] for one in granted))
        if done:
            self._look_at = 0.0  # it may be waited for right here
        return answers + [(one.told, got) for one, got in zip(asks, granted, strict=True)]

    def _look(self, connection: Connection) -> list[_Told]:
        """Those who waited for what is free now."""
        self._waiting = [one for one in self._waiting if not one.future.done()]
        now = time.monotonic()
        if not self._waiting:
            self._quiet_since = now
        if not self._waiting or now < self._look_at:
            return []
        wanted = {claim for one in self._waiting for claim in one.claims}
        freed = self._claims.freed(connection, wanted)
        self._pause = POLL_SECONDS if freed else min(self._pause * POLL_GROWTH, POLL_AT_MOST)
        self._look_at = now + self._pause
        if freed:
            self._quiet_since = now
        elif now > self._quiet_since + TELL_SECONDS:
            self._quiet_since = now
            self._claims.tell(connection, sorted(wanted))
        woken = [one for one in self._waiting if not freed.isdisjoint(one.claims)]
        self._waiting = [one for one in self._waiting if freed.isdisjoint(one.claims)]
        return [(one.told, None) for one in woken]

    def _answer(self, batch: Sequence[_Item | None], answers: list[_Told]) -> None:
        """Tell those who wait; where nothing can be written any more, all of them that."""
        if self.failure is None:
            _settle(answers + [(one.told, None) for one in batch if isinstance(one, _Flush)])
            return
        asked = [*self._waiting, *(one for one in batch if isinstance(one, Row | _Ask | _Wait | _Flush))]
        self._waiting = []
        _settle([(one.told, StoreError(str(self.failure))) for one in asked if one.told is not None])


def _given_up(batch: Iterable[_Item | None]) -> set[int]:
    """The claims of rows that are there now, and of those that will not come."""
    given: set[int] = set()
    for one in batch:
        if isinstance(one, Row) and one.place is not None:
            given.add(one.place.claim)
        elif isinstance(one, _Drop):
            given |= one.claims
    return given


def _write(connection: Connection, rows: Sequence[Row]) -> list[_Told]:
    """Insert rows; what those hear who want to know which row is stored in the end."""
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row)
    told: list[_Told] = []
    for kind in [one for one in INSERTS if one in by_kind]:  # always in one order: no two writers lock crosswise
        unique = INSERTS[kind].unique
        found = sorted(by_kind[kind], key=lambda row: row.values[:unique])
        for start in range(0, len(found), _ROWS_AT_ONCE):
            part = found[start : start + _ROWS_AT_ONCE]
            new = _insert(connection, kind, [row.values for row in part])
            told += _winners(connection, part, all_new=new == len(part))
    return told


def _insert(connection: Connection, kind: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """All rows in one statement, not by `executemany`: that gives up the GIL at each row and waits to have it back.

    Returns how many were new, or changed.
    """
    if kind == "better completion":
        return sum(_improve(connection, *row) for row in rows)
    insert = INSERTS[kind]
    return sum(
        connection.execute(insert.statement(len(part)), insert.values(part)).rowcount for part in insert.distinct(rows)
    )


def _improve(connection: Connection, draw: str, index: int, completion: str) -> int:
    place = Place("completion", draw, index)
    old = rows_at(connection, [place]).get(place)
    if old is None:
        insert = INSERTS["completion"]
        return connection.execute(insert.statement(1), insert.values([(draw, index, completion)])).rowcount
    if not lacks(old, completion):
        return 0
    better = "UPDATE completions SET completion=?, checksum=? WHERE draw=? AND idx=? AND completion=?"
    now = checksum("completions", (draw, index, completion))
    return connection.execute(better, (completion, now, draw, index, old)).rowcount


def _winners(connection: Connection, rows: Sequence[Row], *, all_new: bool) -> list[_Told]:
    asked = [(row, row.place, row.told) for row in rows if row.place is not None and row.told is not None]
    if all_new or not asked:
        return [(told, row.values[-1]) for row, _, told in asked]
    there = rows_at(connection, [place for _, place, _ in asked])
    return [(told, there[place]) for _, place, told in asked]


def listener(future: asyncio.Future[Any]) -> Listener:
    """A future as one who hears."""

    def hear(answer: Any) -> None:
        if future.done():
            return
        if isinstance(answer, StoreError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    return Listener(future.get_loop(), hear)


def _settle(answers: Sequence[_Told]) -> None:
    """Tell who waits, each loop once: waking one is a system call."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Told]] = {}
    for told in answers:
        by_loop.setdefault(told[0].loop, []).append(told)
    for loop, found in by_loop.items():
        with suppress(RuntimeError):  # the loop that waited is closed: nobody is waiting any more
            loop.call_soon_threadsafe(_tell_all, found)


def _tell_all(answers: Sequence[_Told]) -> None:
    for listener, answer in answers:
        listener.hear(answer)
