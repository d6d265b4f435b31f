"""The PostgreSQL database of a store: one that a team shares."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from tts.store.database import Rows
from tts.store.tables import TABLES, VERSION, steps
from tts.vocabulary.errors import ConfigError, MissingDependencyError, StoreError

if TYPE_CHECKING:
    import psycopg

# Bytes are compared, as SQLite does: a server's language would sort keys in another order.
_WORDS = {"text": 'TEXT COLLATE "C"', "large": "BIGINT", "real": "DOUBLE PRECISION", "by_key": ""}
_LOCK = 0x74747363  # "ttsc": held while tables are made
_CONNECT_SECONDS = 10
# What may be over a little later: connections that are lost or refused, a server that stops or starts, two transactions
# that wait for each other, a full disk.
_PASSING = re.compile("08...|57P0[123]|40001|40P01|53...")


class PostgresDatabase:
    """A database on a server, by its URL; `patience` is for how many seconds it is tried to reach it again.

    The schema is the first of the connection's search path. What goes wrong becomes a `StoreError`, which never has the
    password.
    """

    now: str = "extract(epoch FROM clock_timestamp())::float8"

    def __init__(self, url: str, patience: float, *, read_only: bool = False) -> None:
        self._psycopg = _driver()
        self._read_only = read_only
        self.version: int = VERSION
        self.patience: float = patience
        try:
            self._settings = self._psycopg.conninfo.conninfo_to_dict(url)
        except self._psycopg.Error:
            self._settings = {"host": "@"}
        if _cut_password(self._settings):
            raise ConfigError(
                "the store postgresql://… (not shown, it may have a password) is no address of a PostgreSQL database; "
                "write postgresql://USER@HOST:PORT/DATABASE, with special characters as %XX"
            )
        self.name: str = shown(self._settings)
        self.errors: tuple[type[Exception], ...] = (self._psycopg.Error,)

    def connect(self) -> _Connection:
        """A connection to a database that is there."""
        settings = {"connect_timeout": _CONNECT_SECONDS, "application_name": "ttscale"} | self._settings
        # No prepared statements: a pooler in between would mix those of several connections.
        raw = self._psycopg.connect(**settings, autocommit=True, prepare_threshold=None, client_encoding="utf8")
        raw.read_only = self._read_only or None
        return _Connection(raw)

    def open(self) -> _Connection:
        """A connection for reading; the tables are made where there are none, or those that came later."""
        try:
            connection = self.connect()
        except self.errors as error:
            raise self.error(error) from error.with_traceback(None)
        try:
            self._prepare(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, self._psycopg.Error):
                raise self.error(error) from error
            raise
        return connection

    def holds_store(self) -> bool:
        """Whether there is a store; raises `StoreError` where that cannot be found out."""
        try:
            connection = self.connect()
            try:
                return self._version(connection) > 0
            finally:
                connection.close()
        except self.errors as error:
            raise self.error(error) from error

    def _prepare(self, connection: _Connection) -> None:
        found = self._version(connection)
        if self._read_only:
            if not found:
                raise StoreError(f"store {self.name!r}: there is no store to read")
            self.version = found
            return
        if found == VERSION:
            return
        with self.transaction(connection):
            connection.execute("SELECT pg_advisory_xact_lock(?)", [_LOCK])  # others may be making them, too
            version = self._version(connection)
            if version == 0:
                connection.execute("CREATE TABLE ttscale_store(version INTEGER NOT NULL)")
                connection.execute("INSERT INTO ttscale_store VALUES(0)")
            for statement in steps(version, _WORDS):
                connection.execute(statement)
            connection.execute("UPDATE ttscale_store SET version=?", [VERSION])

    def _version(self, connection: _Connection) -> int:
        """The version of the store, 0 where there is none; raises `StoreError` for a later one, or other tables."""
        there, strange, encoding = connection.execute(
            "SELECT to_regclass('ttscale_store') IS NOT NULL, (SELECT min(tablename) FROM pg_tables"
            " WHERE schemaname=current_schema() AND tablename=ANY(?)), current_setting('server_encoding')",
            [[*TABLES, "holders", "claims"]],
        ).fetchall()[0]
        if encoding != "UTF8":
            raise StoreError(f"store {self.name!r}: the database has the encoding {encoding}; make one with UTF8")
        if not there and strange:
            raise StoreError(
                f"store {self.name!r}: there is a table {strange!r} which is not ttscale's; give another database, or "
                "a schema of its own: postgresql://…/DATABASE?options=-csearch_path%3DSCHEMA"
            )
        version: int = connection.execute("SELECT version FROM ttscale_store").fetchall()[0][0] if there else 0
        if version > VERSION:
            raise StoreError(
                f"store {self.name!r} has schema version {version} and this ttscale reads {VERSION}; "
                "use the version that wrote it, or a later one"
            )
        return version

    def transaction(self, connection: _Connection) -> AbstractContextManager[object]:
        """All that is written inside, or nothing."""
        return connection.raw.transaction()

    def passing(self, error: Exception) -> bool:
        """Whether the same may succeed a little later, on a new connection."""
        if not isinstance(error, self._psycopg.Error):
            return False
        lost = isinstance(error, self._psycopg.OperationalError | self._psycopg.InterfaceError)
        return lost if error.sqlstate is None else bool(_PASSING.fullmatch(error.sqlstate))

    def error(self, error: BaseException) -> StoreError:
        """What the driver raised, as one sentence."""
        text = " ".join(str(error).split())
        password = self._settings.get("password")
        text = text.replace(str(password), "…") if password else text
        if isinstance(error, self._psycopg.errors.DiskFull):
            advice = "the disk of the server is full; free some space there and run the same command again: what is "
            advice += "stored is kept"
        elif isinstance(error, self._psycopg.OperationalError | self._psycopg.InterfaceError):
            advice = f"the server cannot be reached, or does not let us in: {text}"
        else:
            advice = f"{type(error).__name__}: {text}"
        return StoreError(f"store {self.name!r}: {advice}")


class _Connection:
    """A connection of psycopg that takes the SQL that all databases share."""

    def __init__(self, raw: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.raw: psycopg.Connection[tuple[Any, ...]] = raw

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        """Run a statement with `?` where its values go."""
        return self.raw.execute(sql.replace("?", "%s").encode(), [_storable(value) for value in values])

    def close(self) -> None:
        """End it."""
        self.raw.close()


def _storable(value: Any) -> Any:
    """PostgreSQL has no null characters in text; in JSON, where completions are, they are escaped anyway."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


def shown(settings: Mapping[str, Any]) -> str:
    """The URL of these settings without the password."""
    user = f"{settings['user']}@" if settings.get("user") else ""
    port = f":{settings['port']}" if settings.get("port") else ""
    return f"postgresql://{user}{settings.get('host') or ''}{port}/{settings.get('dbname') or ''}"


def _cut_password(settings: Mapping[str, Any]) -> bool:
    """Whether a password with special characters was taken for the end of it and other parts, which are shown."""
    place = f"{settings.get('host')} {settings.get('dbname')}"
    return "@" in place or not re.fullmatch("[0-9,]*", str(settings.get("port") or ""))


def _driver() -> Any:
    try:
        import psycopg
        import psycopg.conninfo
    except ImportError as error:
        raise MissingDependencyError(
            "a store in PostgreSQL needs 'psycopg'; pip install 'ttscale[postgres]'"
        ) from error
    return psycopg
