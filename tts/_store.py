"""The store: one SQLite file (WAL) that everything sampled goes into, and nothing is asked for twice.

* A *draw* is one prompt given to one model under one sampling; its key hashes problem, model fingerprint, sampling and
  messages. Its completions are rows (key, index): the index is part of the key, so k of them never collapse into one,
  and asking for 16 after 4 leaves 12 to sample. First candidates and refinements are both draws.
* A *call* is a score or a verdict under its own content key.
* Reads happen where they are asked for (WAL readers never wait for a writer); writes go through one thread that commits
  what comes within a hundredth of a second together (a twentieth where that is many rows), so a `kill -9` loses at most
  what was in flight and what ended in that moment. A result is only reported once `flushed`.
* Extracted answers are not stored: extraction may improve, completions stay.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tts._codec import candidate_of, decode_completion, encode_completion, mended
from tts._errors import StoreError
from tts._records import CandidateSet, Completion, Message, Problem, Result, Sampling, digest

SCHEMA_VERSION = 1
GATHER_SECONDS = 0.01  # a commit of one row costs as much as its completion; a commit of ten, a fifth of that for each
BUSY_ROWS, BUSY_SECONDS = 32, 0.04  # more rows than that in one gathering: rarer commits leave the loop its processor
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
# Kind of row: its columns, how they are inserted, and what becomes of a row that is there already.
_INSERT = {
    "problem": (
        3,
        "INSERT INTO problems",
        "ON CONFLICT(digest) DO UPDATE SET answer=coalesce(excluded.answer, answer)",
    ),
    "draw": (6, "INSERT OR IGNORE INTO draws", ""),
    "completion": (3, "INSERT OR IGNORE INTO completions", ""),
    "call": (4, "INSERT OR IGNORE INTO calls", ""),
    "result": (4, "INSERT OR REPLACE INTO results", ""),
}
_ROWS_AT_ONCE = 256  # of six columns or fewer: far below SQLite's limit of 32,766 values


class StoredSet(NamedTuple):
    """One draw of first candidates: what was asked, of which model, and how many completions are stored."""

    key: str
    problem: Problem
    answer: str | None
    policy: str
    sampling: Sampling | None
    stored: int


class Generation(NamedTuple):
    """What a strategy had a model write: the prompt, and the completions drawn so far in index order."""

    role: str
    model: str
    messages: tuple[Message, ...]
    completions: tuple[Completion, ...]


class Store:
    """One store file; open it as a context manager, or call `close`.

    Several processes may use one file. Raises `StoreError` where the file is not a store, has another schema version,
    stays locked for `busy_seconds`, or cannot be written (disk full); what was committed before stays readable.
    """

    def __init__(self, path: str | Path, *, busy_seconds: float = 30.0) -> None:
        self.path: Path = Path(path)
        self._busy_seconds = busy_seconds
        self._reader = self._open()
        self._read_lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | asyncio.Future[None] | None] = queue.SimpleQueue()
        self._failure: StoreError | None = None
        self._closed = False
        self._writer = threading.Thread(target=self._write_loop, name="tts-store", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    # --- opening ---------------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous=NORMAL")  # safe against a killed process; WAL keeps the file whole
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = self._connect()
            self._prepare(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise self._sentence(error) from error
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

    def _sentence(self, error: Exception) -> StoreError:
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

    # --- writing ---------------------------------------------------------------------------------------------------

    def _put(self, kind: str, *values: Any) -> None:
        self._check_open()
        self._queue.put((kind, tuple(map(mended, values))))

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise StoreError(f"store {str(self.path)!r} is closed; open it again")

    def put_problem(self, problem: Problem, answer: str | None = None) -> None:
        """Queue a problem with its gold answer; a known answer is never overwritten by `None`."""
        row = problem.model_dump(mode="json", exclude_none=True, fallback=repr)
        self._put("problem", problem.digest, json.dumps(row, ensure_ascii=False), answer)

    def put_draw(
        self, key: str, problem: Problem, role: str, model: str, sampling: Sampling | None, messages: Iterable[Message]
    ) -> None:
        """Queue the head of a draw; `role` is "sample" for first candidates, else the role that generates."""
        rows = [[m.role, m.content] for m in messages]
        self._put(
            "draw",
            key,
            problem.digest,
            role,
            model,
            sampling and sampling.model_dump_json(),
            json.dumps(rows, ensure_ascii=False),
        )

    def put_completion(self, key: str, index: int, completion: Completion) -> None:
        """Queue one completion of a draw; the first one stored under (key, index) stays."""
        self._put("completion", key, index, encode_completion(completion))

    def put_call(self, key: str, kind: str, problem: Problem, answer: str) -> None:
        """Queue the answer (JSON) of a score or verdict."""
        self._put("call", key, kind, problem.digest, answer)

    def put_result(self, result: Result) -> None:
        """Queue a result without its candidates, which are stored once, as draws.

        It replaces an earlier one of the same strategy, parameters, seed and models on the same candidates.
        """
        texts = [candidate.text for candidate in result.candidates]
        key = digest(result.problem.digest, result.group, result.provenance, texts)
        row = result.model_dump(mode="json", exclude={"candidates", "problem"}, exclude_defaults=True, fallback=repr)
        text = json.dumps(row, ensure_ascii=False)
        self._put("result", key, result.problem.digest, result.provenance.strategy, text)

    async def flushed(self) -> None:
        """Return when all that was put before is committed; raises `StoreError` where it could not be."""
        self._check_open()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(done)
        await done
        if self._failure is not None:
            raise self._failure

    def _write_loop(self) -> None:
        connection = self._connect()
        open_ = True
        while open_:
            batch = [self._queue.get()]
            if batch[0] is not None:
                time.sleep(GATHER_SECONDS)
                if self._queue.qsize() > BUSY_ROWS:
                    time.sleep(BUSY_SECONDS)
            while len(batch) < 10_000:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            open_ = None not in batch
            if self._failure is None:
                self._commit(connection, [item for item in batch if isinstance(item, tuple)])
            _settle([item for item in batch if isinstance(item, asyncio.Future)])
        connection.close()

    def _commit(self, connection: sqlite3.Connection, rows: list[tuple[str, tuple[Any, ...]]]) -> None:
        if not rows:
            return
        by_kind: dict[str, list[tuple[Any, ...]]] = {}
        for kind, values in rows:
            by_kind.setdefault(kind, []).append(values)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for kind, found in by_kind.items():
                for start in range(0, len(found), _ROWS_AT_ONCE):
                    _insert(connection, kind, found[start : start + _ROWS_AT_ONCE])
            connection.execute("COMMIT")
        except Exception as error:  # whatever it is, who waits must hear of it
            self._failure = self._sentence(error)
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def close(self) -> None:
        """Commit what is queued and close the file; raises `StoreError` where that failed."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._writer.join()
            with self._read_lock:
                self._reader.close()
            if self._failure is not None:
                raise self._failure

    # --- reading ---------------------------------------------------------------------------------------------------

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with self._read_lock:
                return self._reader.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._sentence(error) from error

    def completions(self, key: str) -> dict[int, Completion]:
        """The stored completions of a draw by index."""
        rows = self._rows("SELECT idx, completion FROM completions WHERE draw=? ORDER BY idx", key)
        try:
            return {index: decode_completion(text, index) for index, text in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"store {str(self.path)!r}: draw {key} holds what is no completion: {error}") from error

    def call(self, key: str) -> str | None:
        """The stored answer (JSON) of a score or verdict."""
        rows = self._rows("SELECT answer FROM calls WHERE key=?", key)
        return rows[0][0] if rows else None

    def messages(self, key: str) -> tuple[Message, ...]:
        """The prompt of a draw."""
        rows = self._rows("SELECT messages FROM draws WHERE key=?", key)
        return tuple(Message(role=r, content=c) for r, c in json.loads(rows[0][0])) if rows else ()

    def sets(self, key_prefix: str = "") -> Iterator[StoredSet]:
        """The stored draws of first candidates whose key begins so, in key order; read in pages, memory stays flat."""
        after = ""
        while True:
            rows = self._rows(
                "SELECT key, p.problem, answer, model, sampling, (SELECT count(*) FROM completions WHERE draw=key)"
                " FROM draws JOIN problems p ON p.digest=draws.problem"
                " WHERE role='sample' AND key>? AND substr(key,1,?)=? ORDER BY key LIMIT 500",
                after, len(key_prefix), key_prefix,
            )  # fmt: skip
            for key, problem, answer, model, sampling, stored in rows:
                parsed = Sampling.model_validate_json(sampling) if sampling else None
                yield StoredSet(key, Problem.model_validate_json(problem), answer, model, parsed, stored)
            if not rows:
                return
            after = rows[-1][0]

    def load(self, found: StoredSet, extract: Callable[[str], str | None]) -> CandidateSet:
        """The candidates of a stored draw, in index order, with answers extracted now.

        An index whose completion failed is missing; the engine draws it anew where the model is at hand.
        """
        stored = self.completions(found.key)
        candidates = tuple(candidate_of(stored[index], index, extract) for index in sorted(stored))
        return CandidateSet(problem=found.problem, candidates=candidates, policy=found.policy, sampling=found.sampling)

    def generations(self, problem: Problem) -> Iterator[Generation]:
        """All that strategies generated for a problem, in whatever run, by role and then key."""
        rows = self._rows(
            "SELECT key, role, model, messages FROM draws WHERE problem=? AND role<>'sample' ORDER BY role, key",
            problem.digest,
        )
        for key, role, model, messages in rows:
            prompt = tuple(Message(role=r, content=c) for r, c in json.loads(messages))
            yield Generation(role, model, prompt, tuple(self.completions(key).values()))

    def results(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(problem digest, result as a dictionary) of every stored result."""
        for problem, text in self._rows("SELECT problem, result FROM results ORDER BY strategy, key"):
            yield problem, json.loads(text)

    def policies(self) -> list[tuple[str, str]]:
        """The different (policy fingerprint, sampling as JSON) of the stored first candidates."""
        return self._rows("SELECT DISTINCT model, sampling FROM draws WHERE role='sample' ORDER BY model, sampling")

    def counts(self) -> dict[str, int]:
        """Rows per kind of thing stored."""
        tables = ("problems", "draws", "completions", "calls", "results")
        return {table: self._rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}  # noqa: S608 - fixed names


def _insert(connection: sqlite3.Connection, kind: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """All rows in one statement, not by `executemany`: that gives up the GIL at each row and waits to have it back."""
    columns, insert, conflict = _INSERT[kind]
    places = ",".join([f"({','.join('?' * columns)})"] * len(rows))
    connection.execute(f"{insert} VALUES{places} {conflict}", [value for row in rows for value in row])


def _settle(waiting: Sequence[asyncio.Future[None]]) -> None:
    """Tell who waits, each loop once: waking one is a system call."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for done in waiting:
        by_loop.setdefault(done.get_loop(), []).append(done)
    for loop, found in by_loop.items():
        with suppress(RuntimeError):  # the loop that waited is closed: nobody is waiting any more
            loop.call_soon_threadsafe(_set_all, found)


def _set_all(waiting: Sequence[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)
