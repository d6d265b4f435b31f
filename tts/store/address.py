"""Where a store is: in a file, or in a database on a server."""

from __future__ import annotations

from pathlib import Path

from tts.store.database import Database
from tts.store.sqlite import SqliteFile

_SERVERS = ("postgresql://", "postgres://")


def is_server(place: object) -> bool:
    """Whether this is the URL of a database on a server."""
    return isinstance(place, str) and place.startswith(_SERVERS)


def is_store(place: object) -> bool:
    """Whether this names a store: such a URL, or a file that ends like one."""
    return is_server(place) or (isinstance(place, str | Path) and Path(place).suffix == ".db")


def shown_store(place: str | Path) -> str:
    """What messages call it: never with a password."""
    return str(place) if not is_server(place) else database_of(place, 0.0).name


def store_exists(place: str | Path) -> bool:
    """Whether there is a store already; raises `StoreError` where a server does not say."""
    if not is_server(place):
        return Path(place).is_file()
    from tts.store.postgres import PostgresDatabase

    return PostgresDatabase(str(place), 0.0).holds_store()


def database_of(place: str | Path, patience: float) -> Database:
    """The database that is meant; `patience` is for how many seconds it may be locked or out of reach."""
    if is_server(place):
        from tts.store.postgres import PostgresDatabase

        return PostgresDatabase(str(place), patience)
    return SqliteFile(Path(place), patience)
