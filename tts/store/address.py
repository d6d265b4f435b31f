"""Where a store is: in a file, or in a database on a server."""

from __future__ import annotations

from pathlib import Path
from typing import TypeGuard

from tts.store.database import Database
from tts.store.sqlite import SqliteFile
from tts.vocabulary.errors import ConfigError

_SERVERS = ("postgresql://", "postgres://")


def is_server(place: object) -> TypeGuard[str]:
    """Whether this is the URL of a database on a server."""
    return isinstance(place, str) and place.startswith(_SERVERS)


def is_store(place: object) -> TypeGuard[str | Path]:
    """Whether this names a store: such a URL, or a file that ends like one."""
    return is_server(place) or (isinstance(place, str | Path) and Path(place).suffix == ".db")


def shown_store(place: str | Path) -> str:
    """What messages call it: never with a password."""
    return database_of(place, 0.0).name if is_server(place) else str(place)


def store_exists(place: str | Path) -> bool:
    """Whether there is a store already; raises `StoreError` where a server does not say."""
    if is_server(place):
        from tts.store.postgres import PostgresDatabase

        return PostgresDatabase(place, 0.0).holds_store()
    return Path(place).is_file()


def check_exists(place: str | Path) -> None:
    """Raise `ConfigError` where there is no store, `StoreError` where a server does not say."""
    if not store_exists(place):
        name = shown_store(place)
        raise ConfigError(f"there is no store {name!r}; `tts sample --store {name}` makes one")


def database_of(place: str | Path, patience: float) -> Database:
    """The database that is meant; `patience` is for how many seconds it may be locked or out of reach."""
    if is_server(place):
        from tts.store.postgres import PostgresDatabase

        return PostgresDatabase(place, patience)
    return SqliteFile(Path(place), patience)
