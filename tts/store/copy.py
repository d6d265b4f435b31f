"""All rows of one store put into another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tts.store.address import database_of
from tts.store.database import Connection, Database
from tts.store.link import Link
from tts.store.tables import TABLES
from tts.vocabulary.errors import StoreError

PAGE = 500  # rows of a transaction
# What tells the rows of a table apart. Claims are left out: they are of processes that work on the one store.
_KEYS = {
    "problems": ("digest",),
    "draws": ("key",),
    "completions": ("draw", "idx"),
    "calls": ("key",),
    "results": ("key",),
}
_Row = tuple[Any, ...]


class Copied(NamedTuple):
    """Rows by table: those of the source, those that the target lacked; `other` is what it has with other content."""

    rows: dict[str, int]
    new: dict[str, int]
    other: int


def copy_store(source: str | Path, target: str | Path, *, patience: float = 30.0) -> Copied:
    """Put all that one store has into another, which is made where there is none; what is there already stays.

    Returns when everything is there; the same again copies what is missing. `patience` is for how many seconds one of
    them may be locked or out of reach. Raises `StoreError` where it fails in between.
    """
    ends = [database_of(place, patience) for place in (source, target)]
    reading, writing = (_Opened(database) for database in ends)
    rows, new, other = Counter[str](dict.fromkeys(TABLES, 0)), Counter[str](dict.fromkeys(TABLES, 0)), 0
    try:
        for table in TABLES:
            for page in _pages(reading, table):
                fresh, different = writing.put(table, page)
                rows[table] += len(page)
                new[table] += fresh
                other += different
    finally:
        reading.close()
        writing.close()
    return Copied(dict(rows), dict(new), other)


class _Opened:
    """One of the two stores."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._link = Link(database, database.open())
        self.close = self._link.close

    def page(self, table: str, after: _Row | None) -> list[_Row]:
        """The next rows in the order of their keys."""
        keys = ", ".join(_KEYS[table])
        begin = f"WHERE ({keys}) > ({', '.join('?' * len(after))})" if after else ""
        return self._run(f"SELECT * FROM {table} {begin} ORDER BY {keys} LIMIT {PAGE}", after or ())  # noqa: S608 - fixed names

    def put(self, table: str, rows: Sequence[_Row]) -> tuple[int, int]:
        """How many were new, and how many were there with other content; all of them are there then."""
        size = len(_KEYS[table])
        there = {row[:size]: row for row in self._same_keys(table, rows)}
        places = ",".join([f"({','.join('?' * len(rows[0]))})"] * len(rows))
        insert = f"INSERT INTO {table} VALUES{places} ON CONFLICT {_conflict(table)}"

        def work(connection: Connection) -> list[_Row]:
            with self._database.transaction(connection):
                connection.execute(insert, [value for row in rows for value in row])
            return []

        self._link_run(work)
        other = sum(_differ(table, row, there.get(row[:size], row)) for row in rows)
        return len(rows) - len(there), other

    def _same_keys(self, table: str, rows: Sequence[_Row]) -> list[_Row]:
        keys = _KEYS[table]
        places = ",".join([f"({','.join('?' * len(keys))})"] * len(rows))
        same = " AND ".join(f"{table}.{key}=wanted.column{at}" for at, key in enumerate(keys, 1))
        find = f"SELECT {table}.* FROM (VALUES {places}) AS wanted CROSS JOIN {table} WHERE {same}"  # noqa: S608 - fixed names
        return self._run(find, [value for row in rows for value in row[: len(keys)]])

    def _run(self, sql: str, values: Sequence[Any]) -> list[_Row]:
        return self._link_run(lambda connection: connection.execute(sql, values).fetchall())

    def _link_run(self, work: Any) -> list[_Row]:
        try:
            found: list[_Row] = self._link.run(work)
        except self._database.errors as error:
            failure = self._database.error(error)
            raise StoreError(f"{failure}; what is copied stays, the same command copies the rest") from error
        return found


def _differ(table: str, row: _Row, there: _Row) -> bool:
    if table == "results":  # they tell how long they took
        return False
    return row != there and (table != "problems" or row[:2] != there[:2] or None not in (row[2], there[2]))


def _conflict(table: str) -> str:
    """What is there stays; an answer is filled in where there was none."""
    return (
        "(digest) DO UPDATE SET answer=coalesce(problems.answer, excluded.answer)"
        if table == "problems"
        else "DO NOTHING"
    )


def _pages(opened: _Opened, table: str) -> Iterator[list[_Row]]:
    page = opened.page(table, None)
    while page:
        yield page
        page = opened.page(table, page[-1][: len(_KEYS[table])])
