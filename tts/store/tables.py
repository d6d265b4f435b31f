"""The tables of a store, in SQL that databases share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Step by step: a new store takes all of them, one of an earlier version those that came later. What databases write
# differently stands in braces: each says its own words for it.
_STEPS = (
    """
CREATE TABLE problems(digest {text} PRIMARY KEY, problem {text} NOT NULL, answer {text}){by_key};
CREATE TABLE draws(key {text} PRIMARY KEY, problem {text} NOT NULL, role {text} NOT NULL, model {text} NOT NULL,
                   sampling {text}, messages {text} NOT NULL){by_key};
CREATE INDEX draws_by_problem ON draws(problem);
CREATE TABLE completions(draw {text} NOT NULL, idx INTEGER NOT NULL, completion {text} NOT NULL,
                         PRIMARY KEY(draw, idx)){by_key};
CREATE TABLE calls(key {text} PRIMARY KEY, kind {text} NOT NULL, problem {text} NOT NULL,
                   answer {text} NOT NULL){by_key};
CREATE TABLE results(key {text} PRIMARY KEY, problem {text} NOT NULL, strategy {text} NOT NULL,
                     result {text} NOT NULL){by_key};
""",
    # Who asks for what: nothing here outlives the processes that wrote it.
    """
CREATE TABLE holders(id {large} PRIMARY KEY, process {text} NOT NULL, shown {text} NOT NULL, expires {real} NOT NULL);
CREATE TABLE claims(id {large} PRIMARY KEY, holder {large} NOT NULL);
""",
)
VERSION = len(_STEPS)
TABLES = ("problems", "draws", "completions", "calls", "results")


def steps(version: int, words: Mapping[str, str]) -> list[str]:
    """The statements that make a store of this version, 0 for none, one of today's."""
    text = ";".join(_STEPS[version:]).format(**words)
    return [one for one in map(str.strip, text.split(";")) if one]


class Insert(NamedTuple):
    """How rows of one kind go into their table; `unique` is how many of the first columns tell rows apart."""

    table: str
    columns: int
    unique: int
    conflict: str = "DO NOTHING"

    def statement(self, rows: int) -> str:
        """One statement for so many rows."""
        places = ",".join([f"({','.join('?' * self.columns)})"] * rows)
        return f"INSERT INTO {self.table} VALUES{places} ON CONFLICT {self.conflict}"

    def distinct(self, rows: Sequence[tuple[Any, ...]]) -> list[Sequence[tuple[Any, ...]]]:
        """The rows in parts without two of one key: a statement may change a row only once."""
        keys = {row[: self.unique] for row in rows}
        if len(keys) == len(rows) or self.conflict == "DO NOTHING":
            return [rows]
        parts: list[dict[Any, tuple[Any, ...]]] = []
        for row in rows:
            place = next((part for part in parts if row[: self.unique] not in part), None)
            if place is None:
                parts.append(place := {})
            place[row[: self.unique]] = row
        return [list(part.values()) for part in parts]


# By kind of row, with what becomes of one that is there already.
INSERTS = {
    "problem": Insert("problems", 3, 1, "(digest) DO UPDATE SET answer=coalesce(excluded.answer, problems.answer)"),
    "draw": Insert("draws", 6, 1),
    "completion": Insert("completions", 3, 2),
    "better completion": Insert("completions", 3, 2),
    "call": Insert("calls", 4, 1),
    "result": Insert("results", 4, 1, "(key) DO UPDATE SET result=excluded.result"),
}
