"""Claims: which process asks for what a store lacks.

A claim is a number made of the place that it is for; that two places share one costs a wait, nothing else. It counts as
long as its holder's lease, which is renewed for all claims of a holder at once. Who waits for the claims of others has
claimed nothing that these wait for, so nobody waits in a circle. Claims save calls, and only that: what is true is the
row that was written first, whatever becomes of a lease.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from tts.store.database import Connection, Database
from tts.store.place import Place, parts, rows_at
from tts.store.process import is_gone, shown_process, this_process

_log = logging.getLogger("tts")
BEATS = 4  # a lease is renewed so often while it lasts
LOOK_SECONDS = 1.0  # between two looks for processes that are gone


class Wanted(NamedTuple):
    """What somebody would ask for; `enough` says whether a row that is there already will do."""

    places: Sequence[Place]
    enough: Callable[[str], bool]


class Claimed(NamedTuple):
    """What one is to ask for, what was there already; others are asking for the rest."""

    mine: set[Place]
    stored: dict[Place, str]


class Claims:
    """The claims of one open store; used by the thread that writes.

    `lease_seconds` is how long they count after the last sign of life. `held` are those that were granted.
    """

    def __init__(self, database: Database, lease_seconds: float) -> None:
        self._database, self._lease = database, lease_seconds
        self._holder = random.SystemRandom().getrandbits(63)
        self.held: set[int] = set()
        self._renewed = self._looked = -float("inf")

    @property
    def due(self) -> float:
        """When the lease is to be renewed (monotonic seconds)."""
        return self._renewed + self._lease / BEATS

    def renew(self, connection: Connection) -> None:
        """Renew the lease, or take one, where it is time to."""
        began = time.monotonic()
        if began < self.due:
            return
        expires = f"{self._database.now} + ?"
        renew = f"UPDATE holders SET expires={expires} WHERE id=?"  # noqa: S608 - no data
        if not connection.execute(renew, (self._lease, self._holder)).rowcount:
            row = (self._holder, this_process(), shown_process(), self._lease)
            connection.execute(f"INSERT INTO holders VALUES(?, ?, ?, {expires})", row)
            self._clear(connection)
            self._claim(connection, sorted(self.held))  # where it had been over, and nobody has taken them
        self._renewed = began

    def drop(self, connection: Connection, claims: Collection[int]) -> None:
        """Give up claims, in the transaction that writes what they were for."""
        for part in parts(sorted(claims)):
            drop = f"DELETE FROM claims WHERE holder=? AND id IN ({_marks(part)})"  # noqa: S608 - only marks
            connection.execute(drop, (self._holder, *part))

    def grant(self, connection: Connection, wanted: Sequence[Wanted], held: Iterable[int]) -> list[Claimed]:
        """What each is to ask for, where `held` is held here already; of a place that several want, the first has it.

        In one transaction with `renew`.
        """
        taken = set(held)
        own = [_not_in(taken, one.places) for one in wanted]
        got = self._claim(connection, sorted(claim for claims in own for claim in claims.values()))
        rows = rows_at(connection, sorted({place for one in wanted for place in one.places}))
        granted = []
        for one, claims in zip(wanted, own, strict=True):
            stored = {place: rows[place] for place in one.places if place in rows and one.enough(rows[place])}
            mine = {place for place, claim in claims.items() if claim in got and place not in stored}
            got -= {claims[place] for place in mine}
            granted.append(Claimed(mine, stored))
        self.drop(connection, got)
        return granted

    def _claim(self, connection: Connection, claims: list[int]) -> set[int]:
        mine: set[int] = set()
        for part in parts(claims):
            rows = ",".join([f"(?, {self._holder})"] * len(part))
            inserted = connection.execute(f"INSERT INTO claims VALUES{rows} ON CONFLICT DO NOTHING", part)
            if inserted.rowcount < len(part):
                own = f"SELECT id FROM claims WHERE holder={self._holder} AND id IN ({_marks(part)})"  # noqa: S608 - no data
                part = [claim for (claim,) in connection.execute(own, part).fetchall()]
            mine.update(part)
        return mine

    def freed(self, connection: Connection, claims: Collection[int]) -> set[int]:
        """Those that nobody holds; claims of processes that are gone do not count."""
        if time.monotonic() >= self._looked + LOOK_SECONDS:
            self._looked = time.monotonic()
            self._bury(connection)
        held: set[int] = set()
        for part in parts(sorted(claims)):
            there = f"SELECT id FROM claims WHERE id IN ({_marks(part)})"  # noqa: S608 - only marks
            held.update(claim for (claim,) in connection.execute(there, part).fetchall())
        return set(claims) - held - self.held

    def _bury(self, connection: Connection) -> None:
        """Clear away leases that are over, and those of processes that are known to have ended."""
        leases = f"SELECT id, process, expires < {self._database.now} FROM holders"  # noqa: S608 - no data
        found = connection.execute(leases).fetchall()
        ended = [holder for holder, process, _ in found if is_gone(process)]
        if ended or any(over for _, _, over in found):
            with self._database.transaction(connection):
                if ended:
                    connection.execute(f"UPDATE holders SET expires=0 WHERE id IN ({_marks(ended)})", ended)  # noqa: S608 - only marks
                self._clear(connection)

    def _clear(self, connection: Connection) -> None:
        connection.execute(f"DELETE FROM holders WHERE expires < {self._database.now}")  # noqa: S608 - no data
        connection.execute("DELETE FROM claims WHERE holder NOT IN (SELECT id FROM holders)")

    def tell(self, connection: Connection, waiting: Sequence[int]) -> None:
        """Say who is asking for what is waited for."""
        some = waiting[:500]
        holders = f"SELECT holder FROM claims WHERE id IN ({_marks(some)})"  # noqa: S608 - only marks
        found = connection.execute(f"SELECT shown FROM holders WHERE id IN ({holders})", some).fetchall()  # noqa: S608 - as above
        who = ", ".join(sorted({shown for (shown,) in found})) or "another process"
        _log.warning("store %r: waiting for %d answers that %s is asking for", self._database.name, len(waiting), who)

    def leave(self, connection: Connection) -> None:
        """Give up all claims and the lease."""
        if self._renewed > 0:
            with self._database.transaction(connection):
                connection.execute("DELETE FROM holders WHERE id=?", (self._holder,))
                connection.execute("DELETE FROM claims WHERE holder=?", (self._holder,))


def _not_in(taken: set[int], places: Iterable[Place]) -> dict[Place, int]:
    """The places whose claims are not taken, which are taken now."""
    found = {}
    for place in places:
        claim = place.claim
        if claim not in taken:
            taken.add(claim)
            found[place] = claim
    return found


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))
