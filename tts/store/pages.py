"""The rows of a table, page by page in the order of their keys, as far as they can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tts.store.database import Connection

PAGE = 500  # rows at a time
# What tells the rows of a table apart. Claims are left out: they are of processes that work on the one store.
KEYS: dict[str, tuple[str, ...]] = {
    "problems": ("digest",),
    "golds": ("problem", "id"),
    "draws": ("key",),
    "completions": ("draw", "idx"),
    "calls": ("key",),
    "results": ("key",),
}
_Row = tuple[Any, ...]


def page(connection: Connection, table: str, after: Sequence[Any] | None, *, limit: int = PAGE) -> list[_Row]:
    """The next rows in the order of their keys."""
    return _page(connection, table, after, limit, ("ASC", ">"))


def readable(connection: Connection, table: str, errors: tuple[type[Exception], ...]) -> Iterator[list[_Row]]:
    """All pages; where some cannot be read, what is before them, then what is behind them from the end backwards."""
    last = None
    for rows in _until_broken(connection, table, errors, ("ASC", ">")):
        if rows is None:
            break
        last = rows[-1][: len(KEYS[table])]
        yield rows
    else:
        return
    for rows in _until_broken(connection, table, errors, ("DESC", "<")):
        if rows is None:
            return
        fresh = [row for row in rows if last is None or row[: len(KEYS[table])] > last]
        yield fresh[::-1]
        if len(fresh) < len(rows):
            return


def _until_broken(
    connection: Connection, table: str, errors: tuple[type[Exception], ...], way: tuple[str, str]
) -> Iterator[list[_Row] | None]:
    """Pages in one direction; `None` at the end where the rest cannot be read."""
    after, limit = None, PAGE
    while True:
        try:
            rows = _page(connection, table, after, limit, way)
        except errors:
            if limit == 1:
                yield None
                return
            limit = 1  # what stands before the damage is worth having
            continue
        if not rows:
            return
        yield rows
        after = rows[-1][: len(KEYS[table])]


def _page(
    connection: Connection, table: str, after: Sequence[Any] | None, limit: int, way: tuple[str, str]
) -> list[_Row]:
    order, beyond = way
    keys = ", ".join(KEYS[table])
    ordered = ", ".join(f"{key} {order}" for key in KEYS[table])
    begin = f"WHERE ({keys}) {beyond} ({', '.join('?' * len(after))})" if after else ""
    sql = f"SELECT * FROM {table} {begin} ORDER BY {ordered} LIMIT {limit}"  # noqa: S608 - fixed names
    return connection.execute(sql, after or ()).fetchall()
