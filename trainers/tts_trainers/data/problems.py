"""Stage 1: the rows of the source, filtered, without evaluation problems, grouped by problem."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import tts
from tts import ConfigError, ReadRow, TaskError
from tts_trainers.data.decontaminate import problem_key
from tts_trainers.data.filters import answer_of, check_columns, rules, solutions_of
from tts_trainers.data.recipe import DataRecipe
from tts_trainers.data.run import Run
from tts_trainers.data.workfile import Table, WorkFile, draw_number

_BATCH = 1000
_SEEN = "INSERT INTO seen VALUES(?,?) ON CONFLICT(key) DO UPDATE SET passed=max(passed, excluded.passed)"
_PROBLEM = "INSERT INTO problems(key, id, problem, answer, candidates) VALUES(?,?,?,?,?)"


def make_problems(run: Run) -> list[Table]:
    """Fill `problems` and `solutions`; the table counts the rows and problems that each rule leaves.

    Raises `ConfigError` where a rule leaves nothing.
    """
    recipe, work = run.recipe, run.work
    chosen = rules(recipe)
    passed = [0] * (len(chosen) + 2)  # rows by the number of rules that they pass; the last is that of the answers
    grouping = _Grouping(work, recipe)
    for number, row in enumerate(_read(recipe), 1):
        level = next((i for i, rule in enumerate(chosen) if not rule.keeps(row)), len(chosen))
        key = problem_key(row.example.problem.text)
        if level == len(chosen) and grouping.add(row, key):
            level += 1
        passed[level] += 1
        work.write(_SEEN, key, level)
        if number % _BATCH == 0:
            work.commit()
            run.progress("rows read", number)
    if not any(passed):
        raise ConfigError(f"{recipe.source.data!r} has no rows")
    names = ["in the source", *(rule.name for rule in chosen), "answers agree within a problem"]
    table = _table(work, names, passed)
    for rule, (_, rows, _), (_, before, _) in zip(chosen, table.rows[1:], table.rows, strict=False):
        if rows == 0:
            raise ConfigError(f"none of {before:,} rows passes the rule {rule.name!r}; {rule.change}")
    return [table, _pool(work)]


def _read(recipe: DataRecipe) -> Iterator[ReadRow]:
    source = recipe.source
    for number, row in enumerate(tts.read_rows(source.data, columns=source.read_as())):
        if number == source.limit:
            return
        if number == 0:
            check_columns(row, recipe)
        yield row


def _table(work: WorkFile, names: list[str], passed: list[int]) -> Table:
    """Rows and different problems that pass each rule."""
    problems = dict(work.rows("SELECT passed, count(*) FROM seen GROUP BY passed"))
    counts = [(name, sum(passed[i:]), sum(n for p, n in problems.items() if p >= i)) for i, name in enumerate(names)]
    return Table("Filter", ("rule", "rows", "problems"), tuple(counts))


def _pool(work: WorkFile) -> Table:
    solutions, solved = work.rows("SELECT count(*), count(DISTINCT problem) FROM solutions")[0]
    problems = work.one("SELECT count(*) FROM problems")
    rows = (("problems", problems), ("given solutions", solutions), ("problems with given solutions", solved))
    return Table("Pool", ("", "count"), rows)


class _Grouping:
    """Adds rows to their problems."""

    def __init__(self, work: WorkFile, recipe: DataRecipe) -> None:
        self._work, self._recipe, self._columns = work, recipe, recipe.source

    def add(self, row: ReadRow, key: bytes) -> bool:
        """Add a row; not where an earlier row of its problem has another answer."""
        solutions = solutions_of(row, self._recipe)
        answer = answer_of(row, self._recipe)
        known = self._work.rows("SELECT n, answer FROM problems WHERE key=?", key)
        if known and known[0][1] != answer:
            return False
        number = known[0][0] if known else self._new(row, key, answer)
        for solution in filter(str.strip, solutions):
            draw = draw_number(self._recipe.seed, "solution", key.hex(), solution)
            self._work.write(
                "INSERT OR IGNORE INTO solutions(problem, text, draw) VALUES(?,?,?)", number, solution, draw
            )
        return True

    def _new(self, row: ReadRow, key: bytes, answer: str | None) -> int:
        problem = row.example.problem
        fields = {"prompt", "messages"} | ({"metadata"} if self._columns.data.startswith("task:") else set())
        text = json.dumps(problem.model_dump(mode="json", include=fields), ensure_ascii=False)
        candidates = _candidates(row, self._columns.candidates)
        try:
            return self._work.insert(_PROBLEM, key, problem.id, text, answer, candidates)
        except sqlite3.IntegrityError:
            raise TaskError(
                f"{row.where}: the id {problem.id!r} is already that of another problem; ids must differ"
            ) from None


def _candidates(row: ReadRow, column: str | None) -> str | None:
    """A column of candidates as JSON: texts, or mappings with a text."""
    value: Any = row.columns.get(column) if column is not None else None
    if value is None:
        return None
    texts = [one.get("text") if isinstance(one, dict) else one for one in value] if isinstance(value, list) else [None]
    if not all(isinstance(one, str) for one in texts):
        raise TaskError(
            f"{row.where}: the column {column!r} must be a list of candidates: texts, or mappings with a text"
        )
    return json.dumps(texts, ensure_ascii=False)
