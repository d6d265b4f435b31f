"""The work file: an SQLite database in the output folder that holds what each stage made.

Decisions: a stage that was killed is made anew from its beginning (what it sampled is in the store and is not asked
again), so its tables need no care; a finished stage is marked with its settings in the same transaction as its last
rows; random orders are seeded hashes in a column, so that the database shuffles and draws on disk.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from tts import ConfigError

PAGE = 500  # rows read at a time
_TABLES: dict[str, tuple[str, ...]] = {
    "problems": (
        """TABLE problems(n INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, id TEXT NOT NULL UNIQUE,
                          problem TEXT NOT NULL, answer TEXT, candidates TEXT)""",
        """TABLE solutions(n INTEGER PRIMARY KEY, problem INTEGER NOT NULL, text TEXT NOT NULL,
                           draw INTEGER NOT NULL UNIQUE)""",
        "INDEX solutions_of ON solutions(problem)",
        "TABLE seen(key BLOB PRIMARY KEY, passed INTEGER NOT NULL) WITHOUT ROWID",
    ),
    "prompts": (
        """TABLE prompts(problem INTEGER PRIMARY KEY, messages TEXT NOT NULL, shown TEXT NOT NULL,
                         n_correct INTEGER NOT NULL, kind TEXT NOT NULL, used INTEGER NOT NULL DEFAULT 1)""",
        "TABLE sets(problem INTEGER PRIMARY KEY, candidates TEXT NOT NULL)",
        "TABLE labels(problem INTEGER PRIMARY KEY, label TEXT NOT NULL)",
        """TABLE own(n INTEGER PRIMARY KEY, problem INTEGER NOT NULL, text TEXT NOT NULL,
                     draw INTEGER NOT NULL UNIQUE)""",
    ),
    "answers": (
        """TABLE answers(problem INTEGER NOT NULL, idx INTEGER NOT NULL, text TEXT NOT NULL,
                         PRIMARY KEY(problem, idx))""",
    ),
    "rows": (
        """TABLE examples(held_out INTEGER NOT NULL, draw INTEGER NOT NULL, objective TEXT NOT NULL,
                          problem INTEGER NOT NULL, ref INTEGER NOT NULL,
                          PRIMARY KEY(held_out, draw)) WITHOUT ROWID""",
    ),
}
_PRAGMAS = (
    "locking_mode=EXCLUSIVE",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "wal_autocheckpoint=16000",  # pages, 64 MB: a checkpoint waits for the disk
    "cache_size=-32000",  # KB: the indices of random numbers are written all over
)
STAGES = tuple(_TABLES)


class Table(NamedTuple):
    """Counts of a stage, to print and to put on the data card."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]


class Finished(NamedTuple):
    """A stage that was made, with its settings and counts."""

    settings: dict[str, Any]
    tables: tuple[Table, ...]


def draw_number(*parts: object) -> int:
    """A seeded random number of 63 bits that depends on its parts alone."""
    text = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


class WorkFile:
    """The stages' tables; a context manager that keeps other processes out while it is open."""

    def __init__(self, path: Path) -> None:
        # The engine reads problems on a thread of its own; sqlite3 itself takes care of turns.
        self._connection = sqlite3.connect(path, timeout=2, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS stages(name TEXT PRIMARY KEY, settings TEXT, tables TEXT)"
            )
        except sqlite3.OperationalError as error:
            self._connection.close()
            if "locked" in str(error):
                raise ConfigError(
                    f"another run is working in {str(path.parent)!r}; wait for it or use another folder"
                ) from error
            raise
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise ConfigError(f"{str(path)!r} is not a work file of train-data; use another folder") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def finished(self, stage: str) -> Finished | None:
        """What is known of a stage that was made to its end."""
        for settings, tables in self.rows("SELECT settings, tables FROM stages WHERE name=?", stage):
            made = ((title, tuple(header), tuple(map(tuple, rows))) for title, header, rows in json.loads(tables))
            return Finished(json.loads(settings), tuple(Table(*table) for table in made))
        return None

    def begin(self, stage: str) -> None:
        """Empty the tables of a stage and of all after it, and open a transaction."""
        for later in STAGES[STAGES.index(stage) :]:
            self._connection.execute("DELETE FROM stages WHERE name=?", (later,))
            for what in _TABLES[later]:
                if what.startswith("TABLE"):  # its indices go with it
                    self._connection.execute(f"DROP {what.partition('(')[0].replace('TABLE', 'TABLE IF EXISTS')}")
                self._connection.execute(f"CREATE {what}")
        self._connection.execute("BEGIN")

    def commit(self) -> None:
        """End a transaction and open the next."""
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN")

    def finish(self, stage: str, settings: Mapping[str, Any], tables: Sequence[Table]) -> None:
        """Mark a stage as made."""
        values = (stage, json.dumps(settings, sort_keys=True), json.dumps(tables))
        self._connection.execute("INSERT INTO stages VALUES(?,?,?)", values)
        self._connection.execute("COMMIT")

    def write(self, sql: str, *values: Any) -> None:
        """Change rows."""
        self._connection.execute(sql, values)

    def insert(self, sql: str, *values: Any) -> int:
        """Insert one row; its number."""
        return self._connection.execute(sql, values).lastrowid or 0

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a small result."""
        return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> Any:
        """The only value of the only row."""
        return self.rows(sql, *values)[0][0]

    def pages(self, sql: str, *values: Any) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a large result, a page at a time.

        `sql` ends in `> ? ORDER BY the first column`, which is a number from 0 up without repetition.
        """
        after = -1
        while page := self.rows(f"{sql} LIMIT {PAGE}", *values, after):
            yield page
            after = page[-1][0]
