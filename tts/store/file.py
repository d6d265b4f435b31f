"""The SQLite file of a store: opened, created where it is empty, refused where it is not ours."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from tts.vocabulary.errors import StoreError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x74747363  # "ttsc": tells a store from any other SQLite file
_SCHEMA = """
CREATE TABLE problems(digest TEXT PRIMARY KEY, problem TEXT NOT NULL, answer TEXT) WITHOUT ROWID;
CREATE TABLE draws(key TEXT PRIMARY KEY, problem TEXT NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL,
                   sampling TEXT, messages TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX draws_by_problem ON draws(problem);
CREATE TABLE completions(draw TEXT NOT NULL, idx INTEGER NOT NULL, completion TEXT NOT NULL,
                         PRIMARY KEY(draw, idx)) WITHOUT ROWID;
CREATE TABLE calls(key TEXT PRIMARY KEY, kind TEXT NOT NULL, problem TEXT NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE results(key TEXT PRIMARY KEY, problem TEXT NOT NULL, strategy TEXT NOT NULL,
                     result TEXT NOT NULL) WITHOUT ROWID;
"""


class StoreFile:
    """One file; `busy_seconds` is how long it may stay locked. What goes wrong becomes a `StoreError`."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self.path: Path = path
        self._busy_seconds = busy_seconds

    def connect(self) -> sqlite3.Connection:
        """A connection to a file that is there."""
        connection = sqlite3.connect(
            self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous=NORMAL")  # safe against a killed process; WAL keeps the file whole
        return connection

    def open(self) -> sqlite3.Connection:
        """A connection for reading; the file is made where there is none."""
        connection = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = self.connect()
            self._prepare(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise self.error(error) from error
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Create the tables in an empty file; refuse a file that is not ours, untouched."""
        self._check_ours(connection)
        self._to_wal(connection)
        connection.execute("BEGIN IMMEDIATE")  # two processes may create the file at the same moment
        try:
            if self._check_ours(connection):
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _to_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to WAL, trying again while locked: SQLite calls no busy handler for this switch, it fails at once."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _check_ours(self, connection: sqlite3.Connection) -> bool:
        """Whether the file is empty; raises `StoreError` where it is neither empty nor a store of this version."""
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return True
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{str(self.path)!r} is a SQLite file but not a ttscale store; give another path")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{str(self.path)!r} has schema version {version} and this ttscale reads {SCHEMA_VERSION}; "
                "export it with the version that wrote it (tts store export STORE -o sets.jsonl) and import that "
                "file into a new store (tts store import NEW sets.jsonl)"
            )
        return False

    def error(self, error: BaseException) -> StoreError:
        """What SQLite raised, as one sentence."""
        text = str(error)
        if "locked" in text or "busy" in text:
            advice = (
                f"it stayed locked for {self._busy_seconds:g} s; another process is writing: wait for it, "
                "or use another file"
            )
        elif "full" in text:
            advice = "the disk is full; free some space and run the same command again: what is stored is kept"
        elif "not a database" in text:
            advice = "it is not a SQLite file; give another path"
        else:
            advice = f"{type(error).__name__}: {text}"
        return StoreError(f"store {str(self.path)!r}: {advice}")
