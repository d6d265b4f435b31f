"""What is in a store at a glance, for who watches a run: counts, what was spent, who is at work."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tts.store.codec import decode_completion
from tts.store.tables import TABLES
from tts.vocabulary.records import Usage

Rows = Callable[..., list[tuple[Any, ...]]]
_CLAIMS = 2  # the version from which on stores say who is at work


class Decided(NamedTuple):
    """A stored decision; `gold` is the answer that its problem has."""

    key: str
    problem: str
    strategy: str
    answer: str | None
    gold: str | None
    error: str | None


class Glance(NamedTuple):
    """A store now: rows by table, decisions by key, tokens by role, processes that are at work, what they ask for.

    `usage` is of everything stored, whoever asked for it.
    """

    counts: dict[str, int]
    decisions: dict[str, Decided]
    usage: dict[str, Usage]
    working: tuple[str, ...]
    under_way: int


def glance(rows: Rows, now: str, version: int) -> Glance:
    """The store whose query function is given; `now` is its clock in SQL."""
    working: list[tuple[Any, ...]] = []
    under_way = 0
    if version >= _CLAIMS:
        working = rows(f"SELECT shown FROM holders WHERE expires > {now} ORDER BY shown")  # noqa: S608 - no data
        under_way = rows(
            f"SELECT count(*) FROM claims JOIN holders ON holders.id=claims.holder WHERE expires > {now}"  # noqa: S608 - no data
        )[0][0]
    return Glance(
        {table: rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES},  # noqa: S608 - fixed names
        _decisions(rows),
        _usage(rows),
        tuple(dict.fromkeys(shown for (shown,) in working)),
        under_way,
    )


def _decisions(rows: Rows) -> dict[str, Decided]:
    sql = (
        "SELECT results.key, p.problem, results.strategy, results.result, p.answer FROM results "
        "LEFT JOIN problems p ON p.digest=results.problem"
    )
    return {key: _decided(key, *rest) for key, *rest in rows(sql)}


def _decided(key: str, problem: str | None, strategy: str, result: str, gold: str | None) -> Decided:
    told = json.loads(result)
    name = json.loads(problem)["id"] if problem else ""
    return Decided(key, name, strategy, told.get("answer"), gold, told.get("error"))


def _usage(rows: Rows) -> dict[str, Usage]:
    found: dict[str, Usage] = {}
    sql = "SELECT draws.role, completions.completion FROM completions JOIN draws ON draws.key=completions.draw"
    for role, text in rows(sql):
        name = "policy" if role == "sample" else role
        found[name] = found.get(name, Usage()) + decode_completion(text, 0).usage
    for kind, text in rows("SELECT kind, answer FROM calls"):
        usage = json.loads(text).get("usage")
        if usage:
            found[kind] = found.get(kind, Usage()) + Usage.model_validate(usage)
    return found
