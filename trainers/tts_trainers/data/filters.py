"""The rules that decide which rows are used, each with its count (arXiv 2509.00084, Table 6)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import tts
from tts import ConfigError, ReadRow, TaskError
from tts_trainers.data.decontaminate import HeldOut
from tts_trainers.data.recipe import DataRecipe

_HASHES = re.compile(r"^####[ \t]*(\S[^\n]*?)\s*\Z", re.MULTILINE)  # the last line of GSM8K's solutions


class Rule(NamedTuple):
    """One rule: its line in the count table, what to change where it leaves nothing, and the rule itself."""

    name: str
    change: str
    keeps: Callable[[ReadRow], bool]


def rules(recipe: DataRecipe) -> list[Rule]:
    """The rules of a recipe, in order; evaluation tasks are read here."""
    chosen = [*_column_rules(recipe), *_pass_rate_rules(recipe)]
    if recipe.label.kind == "gold":
        advice = "map source.answer to its column, or set label.kind = 'majority' to do without"
        chosen.append(Rule("has an answer", advice, lambda row: answer_of(row, recipe) is not None))
    if recipe.filter.evaluation:
        chosen.append(_decontamination(recipe))
    return chosen


def check_columns(row: ReadRow, recipe: DataRecipe) -> None:
    """Raise `ConfigError` where the first row lacks a column that the recipe names."""
    source = recipe.source
    named = {
        "source.solutions": source.solutions,
        "source.pass_rate": source.pass_rate,
        "source.candidates": source.candidates,
    }
    named |= {f"filter.where.{column}": column for column in recipe.filter.where}
    for key, column in named.items():
        if column is not None and column not in row.columns:
            has = ", ".join(map(repr, row.columns)) or "none"
            raise ConfigError(f"{key}: there is no column {column!r} in {source.data!r}; it has {has}")


def answer_of(row: ReadRow, recipe: DataRecipe) -> str | None:
    """The gold answer; where one column holds both, the one that the solution ends in."""
    answer, column = row.example.answer, recipe.source.solutions
    if answer is None or column is None or column != recipe.source.answer:
        return answer
    solution = "\n".join(solutions_of(row, recipe))
    found: str | None = tts.plugins().resolve("extractor", recipe.label.extractor)(solution)
    return found or (None if answer == solution.strip() else answer)


def solutions_of(row: ReadRow, recipe: DataRecipe) -> list[str]:
    """The worked solutions; where `source.boxed` says so, with an answer after `####` in a box instead."""
    found = texts(row, recipe.source.solutions)
    return [_HASHES.sub(_in_box, text) for text in found] if recipe.source.boxed else found


def _in_box(found: re.Match[str]) -> str:
    return rf"\boxed{{{found[1]}}}"


def texts(row: ReadRow, column: str | None) -> list[str]:
    """A column of a text, a list of texts, or nothing."""
    value = row.columns.get(column) if column is not None else None
    values = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise TaskError(
            f"{row.where}: the column {column!r} holds {repr(value)[:60]}; it must be text or a list of texts"
        )
    return values


def pass_rate(value: Any) -> float | None:
    """A pass rate as a number; tables write it as text, and "n/a" where there is none."""
    try:
        rate = float(value)
    except (TypeError, ValueError):
        return None
    return rate if rate == rate else None


def _column_rules(recipe: DataRecipe) -> Iterator[Rule]:
    for column, wanted in recipe.filter.where.items():
        yield Rule(f"{column} = {json.dumps(wanted)}", "change filter.where", partial(_has, column, _plain(wanted)))


def _has(column: str, text: str, row: ReadRow) -> bool:
    return _plain(row.columns.get(column)) == text


def _plain(value: Any) -> str:
    """A cell as text: the `true` of JSON and the `True` of a table are one."""
    return str(value).strip().casefold()


def _pass_rate_rules(recipe: DataRecipe) -> Iterator[Rule]:
    column, bounds = recipe.source.pass_rate, recipe.filter.pass_rate
    if column is None or bounds is None:
        return
    low, high = bounds

    def rate(row: ReadRow) -> float | None:
        return pass_rate(row.columns.get(column))

    yield Rule(f"{column} is a number", "set source.pass_rate to another column", lambda row: rate(row) is not None)
    yield Rule(
        f"{low:g} ≤ {column} ≤ {high:g}", "widen filter.pass_rate", lambda row: low <= (rate(row) or 0.0) <= high
    )


def _decontamination(recipe: DataRecipe) -> Rule:
    tasks = ", ".join(recipe.filter.evaluation)
    held_out = HeldOut(recipe.filter.ngram)
    for source in recipe.filter.evaluation:
        held_out.add_task(example.problem.text for example in tts.read_examples(source))
    return Rule(
        f"not among the {len(held_out):,} evaluation problems",
        f"all that is left is also in {tasks}: train on other data",
        lambda row: row.example.problem.text not in held_out,
    )
