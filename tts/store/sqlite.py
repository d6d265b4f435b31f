"""The SQLite file of a store: opened, created where it is empty, refused where it is not ours."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from tts.store.tables import VERSION, steps
from tts.vocabulary.errors import StoreError

APPLICATION_ID = 0x74747363  # "ttsc": tells a store from any other SQLite file
_WORDS = {"text": "TEXT", "large": "INTEGER", "real": "REAL", "by_key": " WITHOUT ROWID"}


class SqliteFile:
    """One file; `busy_seconds` is how long it may stay locked. What goes wrong becomes a `StoreError`."""

    errors: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error,)
    patience: ClassVar[float] = 0.0  # SQLite itself waits for a lock
    now: ClassVar[str] = "(julianday('now') - 2440587.5) * 86400"

    def __init__(self, path: Path, busy_seconds: float, *, read_only: bool = False) -> None:
        self.path: Path = path
        self.version: int = VERSION
        self._read_only = read_only
        self._place = path.absolute()  # wherever somebody changes to while it is open
        self.name: str = str(path)
        self._busy_seconds = busy_seconds

    def connect(self) -> sqlite3.Connection:
        """A connection to a file that is there."""
        if self._read_only:
            return self._connect_to_read()
        connection = sqlite3.connect(
            self._place, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        connection.text_factory = _text
        connection.execute("PRAGMA synchronous=NORMAL")  # safe against a killed process; WAL keeps the file whole
        return connection

    def _connect_to_read(self) -> sqlite3.Connection:
        """A connection that writes nothing, not even beside the file.

        A log beside it is of somebody who writes, or was left by a crash: without it the file would be an old state.
        """
        log = self._place.with_name(f"{self._place.name}-wal")
        still = not log.is_file() or (log.stat().st_size == 0 and not os.access(self._place.parent, os.W_OK))
        mode = "mode=ro&immutable=1" if still else "mode=ro"
        connection = sqlite3.connect(
            f"{self._place.as_uri()}?{mode}",
            uri=True,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = _text
        return connection

    def open(self) -> sqlite3.Connection:
        """A connection for reading; the file is made where there is none, unless it is only to be read."""
        connection = None
        try:
            if not self._read_only:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = self.connect()
            if self._read_only:
                self._find(connection)
            else:
                self._prepare(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise self.error(error) from error
            raise
        return connection

    def open_damaged(self) -> sqlite3.Connection:
        """A connection to read what is left of a file, also of one that is shorter than it says itself."""
        connection = self._connect_to_read()
        try:
            connection.execute("PRAGMA writable_schema=ON")  # nothing is written: SQLite then looks less closely
            self._find(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise self.error(error) from error
            raise
        return connection

    @contextmanager
    def transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        """All that is written inside, or nothing; nobody else writes meanwhile."""
        with connection:  # commits, or rolls back
            connection.execute("BEGIN IMMEDIATE")
            yield

    def _find(self, connection: sqlite3.Connection) -> None:
        """Look which version the store has."""
        self.version = self._version(connection)
        if not self.version:
            raise StoreError(f"{self.name!r} is an empty file, not a ttscale store; give another path")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Create the tables in an empty file, or those that came later; refuse a file that is not ours, untouched."""
        version = self._version(connection)
        self._to_wal(connection)
        if version == VERSION:
            return
        with self.transaction(connection):  # two processes may create the file at the same moment
            version = self._version(connection)
            for statement in steps(version, _WORDS):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")

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

    def _version(self, connection: sqlite3.Connection) -> int:
        """The version of the store, 0 for an empty file; raises `StoreError` where it is none, or a later one."""
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return 0
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{self.name!r} is a SQLite file but not a ttscale store; give another path")
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if not 0 < version <= VERSION:
            raise StoreError(
                f"{self.name!r} has schema version {version} and this ttscale reads {VERSION}; "
                "export it with the version that wrote it (tts store export STORE -o sets.jsonl) and import that "
                "file into a new store (tts store import NEW sets.jsonl)"
            )
        return version

    def passing(self, _error: Exception) -> bool:
        """Nothing of a file gets better by itself."""
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
        elif "readonly" in text or "read-only" in text.lower():
            advice = "it cannot be written: the file, its folder or its disk is read-only; copy it to where it can be"
        elif "malformed" in text or "corrupt" in text:
            advice = f"the file is damaged; `tts store repair {self.name}` saves what can be read of it"
        elif "unable to open" in text and self._read_only:
            advice = (
                f"it cannot be read as it is: a log of what was written last, {self.path.name}-wal, stands beside it "
                "on a read-only disk; copy both to where they can be written"
            )
        elif "not a database" in text:
            advice = "it is not a SQLite file; give another path"
        else:
            advice = f"{type(error).__name__}: {text}"
        return StoreError(f"store {self.name!r}: {advice}")


def _text(stored: bytes) -> str:
    """A stored text; one that is damaged is another than its checksum says, and no error of the whole file."""
    return stored.decode("utf-8", "replace")
