"""What keeps a store whole: damage is found, taken out, or rows that nobody wants."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tts.store.address import database_of
from tts.store.checksum import checksum, is_damaged
from tts.store.codec import decode_completion
from tts.store.database import Connection, Database
from tts.store.pages import KEYS, readable
from tts.store.sqlite import SqliteFile
from tts.store.tables import CHECKSUMS, TABLES
from tts.store.where import Condition, Kind, condition
from tts.vocabulary.errors import ConfigError, StoreError

ALL = (*TABLES, "golds")
_JSON = {"problems": (1,), "draws": (5,), "completions": (2,), "calls": (3,), "results": (3,), "golds": (2,)}
FIELDS: dict[str, Kind] = {
    "finish": str, "empty": bool, "refused": bool, "truncated": bool, "logprob": bool, "tokens": int, "chars": int,
    "index": int, "role": str, "model": str, "server": str, "system_fingerprint": str, "key": str, "text": str,
}  # fmt: skip
_Row = tuple[Any, ...]


class Damage(NamedTuple):
    """A row that is not what was stored, by its table with its key."""

    table: str
    key: tuple[Any, ...]
    why: str


class Checked(NamedTuple):
    """Rows by table, damaged ones, how many have no checksum; `file` is what the database says of its own pages."""

    rows: dict[str, int]
    damaged: list[Damage]
    unsummed: int
    file: list[str]

    @property
    def whole(self) -> bool:
        """Nothing is damaged."""
        return not self.damaged and not self.file


class Repaired(NamedTuple):
    """What was taken out; `aside` is where a file that could not be mended in place is kept."""

    checked: Checked
    removed: int
    results: int
    aside: Path | None


class Forgotten(NamedTuple):
    """Completions that a condition meant, of how many; the decisions of their problems go with them."""

    completions: int
    of: int
    results: int


def check_store(place: str | Path) -> Checked:
    """Read every row of a store and compare it with its checksum; nothing is written."""
    database = database_of(place, 30.0, read_only=True)
    try:
        connection, said = database.open(), ""
    except StoreError as error:
        if not isinstance(database, SqliteFile) or "malformed" not in str(error.__cause__):
            raise
        connection, said = database.open_damaged(), str(error.__cause__)
    try:
        found = _checked(database, connection)
        return found._replace(file=[said, *found.file]) if said else found
    finally:
        connection.close()


def repair_store(place: str | Path) -> Repaired:
    """Take out of a store what is damaged, so that the next run asks for it again.

    A file whose pages are damaged is made anew from the rows that can be read, and kept under another name.
    """
    checked = check_store(place)
    if checked.file:
        return _rebuilt(Path(place), checked)
    if checked.whole and not checked.unsummed:
        return Repaired(checked, 0, 0, None)
    database = database_of(place, 30.0)
    connection = database.open()
    try:
        with database.transaction(connection):
            _fill_in(connection, database, {(one.table, one.key) for one in checked.damaged})
            stale = _stale(connection, [one.key[0] for one in checked.damaged if one.table == "completions"])
            for one in checked.damaged:
                same = " AND ".join(f"{key}=?" for key in KEYS[one.table])
                connection.execute(f"DELETE FROM {one.table} WHERE {same}", one.key)  # noqa: S608 - fixed names
    except database.errors as error:
        raise database.error(error) from error
    finally:
        connection.close()
    return Repaired(checked, len(checked.damaged), stale, None)


def forget(place: str | Path, where: str, *, dry_run: bool = False) -> Forgotten:
    """Delete the completions that a condition means, with the decisions made on them; `FIELDS` are what it may name.

    Raises `ConfigError` for what is no condition, `StoreError` where a row is damaged: repair the store first.
    """
    meant = condition(where, FIELDS)
    database = database_of(place, 30.0, read_only=dry_run)
    connection = database.open()
    try:
        of, keys = 0, []
        for row in _completions(connection, database):
            of += 1
            if _means(meant, row, database):
                keys.append((row[0], row[1]))
        if dry_run or not keys:
            return Forgotten(len(keys), of, 0)
        with database.transaction(connection):
            stale = _stale(connection, [key for key, _ in keys])
            for key in keys:
                connection.execute("DELETE FROM completions WHERE draw=? AND idx=?", key)
        return Forgotten(len(keys), of, stale)
    except database.errors as error:
        raise database.error(error) from error
    finally:
        connection.close()


def _means(meant: Condition, row: _Row, database: Database) -> bool:
    draw, index, text, role, model, stored = row
    if is_damaged("completions", row, stored):
        raise StoreError(
            f"store {database.name!r}: completion {draw}/{index} is damaged; `tts store repair {database.name}` first"
        )
    found = decode_completion(text, index)
    return meant.holds(
        {
            "finish": found.finish_reason,
            "empty": not (found.summary if found.summary is not None else found.text).strip(),
            "refused": found.finish_reason == "refused",
            "truncated": found.finish_reason == "length",
            "logprob": found.logprob is not None,
            "tokens": found.usage.generated_tokens,
            "chars": len(found.text),
            "index": index,
            "role": "policy" if role == "sample" else role,
            "model": model,
            "server": found.server or "",
            "system_fingerprint": found.system_fingerprint or "",
            "key": draw,
            "text": found.text,
        }
    )


def _completions(connection: Connection, database: Database) -> Iterator[_Row]:
    """Every completion with role and model of its draw, and its checksum."""
    heads = {
        key: (role, model) for key, role, model in connection.execute("SELECT key, role, model FROM draws").fetchall()
    }
    for rows in readable(connection, "completions", ()):
        for row in rows:
            stored = row[3] if database.version >= CHECKSUMS else None
            yield (*row[:3], *heads.get(row[0], ("", "")), stored)


def _stale(connection: Connection, draws: Sequence[str]) -> int:
    """Delete the decisions on the problems of these draws: they were made on texts that are to be asked for again."""
    count = 0
    problems = set()
    for draw in set(draws):
        problems |= {row[0] for row in connection.execute("SELECT problem FROM draws WHERE key=?", (draw,)).fetchall()}
    for problem in sorted(problems):
        count += connection.execute("DELETE FROM results WHERE problem=?", (problem,)).rowcount
    return count


def _checked(database: Database, connection: Connection) -> Checked:
    rows: Counter[str] = Counter()
    found, unsummed = [], 0
    summed = database.version >= CHECKSUMS
    for table in ALL if summed else TABLES:
        for page in readable(connection, table, database.errors):
            rows[table] += len(page)
            for row in page:
                values, stored = (row[:-1], row[-1]) if summed else (row, None)
                unsummed += stored is None
                if why := _wrong(table, values, stored):
                    found.append(Damage(table, row[: len(KEYS[table])], why))
    return Checked(dict(rows), found, unsummed, _pages_of(database, connection))


def _wrong(table: str, row: Sequence[Any], stored: int | None) -> str:
    if is_damaged(table, row, stored):
        return "its checksum does not fit"
    try:
        for place in _JSON[table]:
            json.loads(row[place])
        if table == "completions":
            decode_completion(row[2], row[1])
    except (ValueError, KeyError, TypeError) as error:
        return f"it cannot be read ({type(error).__name__})"
    return ""


def _pages_of(database: Database, connection: Connection) -> list[str]:
    """What SQLite finds wrong with the pages of a file."""
    if not isinstance(database, SqliteFile):
        return []
    try:
        said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)").fetchall()]
    except database.errors as error:
        return [str(error)]
    return [] if said == ["ok"] else said


def _fill_in(connection: Connection, database: Database, damaged: set[tuple[str, tuple[Any, ...]]]) -> None:
    """Give rows of early versions the checksum of what they are now."""
    for table in ALL:
        for page in readable(connection, table, database.errors):
            for row in page:
                key = row[: len(KEYS[table])]
                if row[-1] is None and (table, key) not in damaged:
                    same = " AND ".join(f"{name}=?" for name in KEYS[table])
                    sql = f"UPDATE {table} SET checksum=? WHERE {same}"  # noqa: S608 - fixed names
                    connection.execute(sql, (checksum(table, row), *key))


def _rebuilt(path: Path, checked: Checked) -> Repaired:
    new, aside = path.with_name(f"{path.name}.repaired"), path.with_name(f"{path.name}.damaged")
    for one in (new, aside):
        if one.exists():
            raise ConfigError(f"{str(one)!r} is in the way; move it, then repair again")
    source, target = SqliteFile(path, 30.0, read_only=True), SqliteFile(new, 30.0)
    reading, writing = source.open_damaged(), target.open()
    bad = {(one.table, one.key) for one in checked.damaged}
    try:
        with target.transaction(writing):
            for table in ALL if source.version >= CHECKSUMS else TABLES:
                for page in readable(reading, table, source.errors):
                    for row in page:
                        if (table, row[: len(KEYS[table])]) not in bad:
                            _insert(writing, table, row if source.version >= CHECKSUMS else (*row, None))
        writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except source.errors as error:
        raise source.error(error) from error
    finally:
        reading.close()
        writing.close()
    path.replace(aside)
    for suffix in ("-wal", "-shm"):  # of the damaged file: they would be taken for the new one's
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    new.replace(path)
    return Repaired(checked, len(checked.damaged), 0, aside)


def _insert(connection: Connection, table: str, row: _Row) -> None:
    summed = row if row[-1] is not None else (*row[:-1], checksum(table, row))
    places = ",".join("?" * len(summed))
    connection.execute(f"INSERT INTO {table} VALUES({places}) ON CONFLICT DO NOTHING", summed)
