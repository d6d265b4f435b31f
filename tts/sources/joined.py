"""Rows without the text of their problem, which another source has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tts.rows.columns import choose
from tts.rows.files import Row
from tts.vocabulary.errors import TaskError
from tts.vocabulary.records import Example


def with_problems(rows: Iterable[Row], examples: Iterable[Example], columns: Mapping[str, str]) -> Iterator[Row]:
    """The rows with the problem that has their id, or, where no row has such an id, their place.

    A gold answer that a row has stays; the problem's is taken where it has none.
    """
    known = list(examples)
    by_id = {one.problem.id: one for one in known}
    others = {role: name for role, name in columns.items() if role not in ("candidates", "problem")}
    for place, row in enumerate(rows):
        if isinstance(row.value, Mapping) and choose(row, "problem", {}) is None:
            try:
                row = row._replace(value=_with(row, _found(row, place, known, by_id, others), others))
            except TaskError as error:
                row = row._replace(value=error)
        yield row


def _found(
    row: Row, place: int, known: list[Example], by_id: Mapping[str, Example], columns: Mapping[str, str]
) -> Example:
    name = choose(row, "id", columns)
    if name is not None and (found := by_id.get(str(row.value[name]))) is not None:
        return found
    if place < len(known):
        return known[place]
    raise row.error(f"there is no problem for it: those to join are {len(known)}, and none has its id")


def _with(row: Row, example: Example, columns: Mapping[str, str]) -> dict[str, Any]:
    asked = example.problem
    question: dict[str, Any] = (
        {"problem": asked.prompt}
        if asked.messages is None
        else {"messages": [one.model_dump() for one in asked.messages]}
    )
    gold = {} if choose(row, "answer", columns) is not None else {"answer": example.answer}
    return {**row.value, **question, **gold}
