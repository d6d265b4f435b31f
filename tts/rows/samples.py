"""Rows of one response each, made rows of one problem each.

Decisions: all rows are held, for those of a problem may stand anywhere; a problem is its text, with its id where rows
share one. What a column says of each response is kept in a list beside them; what is the same in all rows of each
problem is the problem's, and numbers are both, since a score may happen to be the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tts.rows.columns import DEFAULT_COLUMNS, choose, missing
from tts.rows.files import Row
from tts.rows.held import CANONICAL, held
from tts.vocabulary.errors import TaskError

_ENDS = ("stop", "length")  # finish reasons that a row may have of its response


class _Sample(NamedTuple):
    """A row with its response, and the columns of its roles."""

    row: Row
    response: Any
    problem: str
    answer: str | None
    used: frozenset[str]


def by_problem(rows: Iterable[Row], columns: Mapping[str, str]) -> Iterator[Row]:
    """One row for each problem, in the order of their first rows; then those that could not be read."""
    groups: dict[str, list[_Sample]] = {}
    broken = []
    for row in rows:
        try:
            one = _sample(row, columns)
            groups.setdefault(repr(row.value[one.problem]), []).append(one)
        except TaskError as error:
            broken.append(row._replace(value=error))
    identified = _identified(groups.values(), columns)
    split = [part for group in groups.values() for part in _parts(group, identified)]
    apart = _of_responses(split)
    for group in split:
        yield _joined(group, identified, apart)
    yield from broken


def _sample(row: Row, columns: Mapping[str, str]) -> _Sample:
    if isinstance(row.value, TaskError):
        raise row.value
    if not isinstance(row.value, Mapping):
        raise row.error(f"a value of type {type(row.value).__name__} is not a row of a problem with its response")
    found = held(row, columns)
    if found is None:
        raise missing(row, "candidates")
    if found.shape != "sample":
        raise row.error(f"the column {found.columns[0]!r} is a list here and one text in other rows")
    others = {role: name for role, name in columns.items() if role != "candidates"}
    problem, answer = choose(row, "problem", others), choose(row, "answer", others)
    if problem is None:
        raise missing(row, "problem")
    used = {*found.columns, problem, *columns.values(), *([answer] if answer else [])}
    return _Sample(row, found.values[0], problem, answer, frozenset(used))


def _identified(groups: Iterable[list[_Sample]], columns: Mapping[str, str]) -> str | None:
    """The column with the ids of problems; none where each response has an id of its own."""
    every = [group for group in groups if len(group) > 1]
    name = next((choose(group[0].row, "id", columns) for group in every), None)
    if name is None:
        return None
    shared = any(len({str(one.row.value.get(name)) for one in group}) < len(group) for group in every)
    return name if shared else None


def _parts(group: list[_Sample], identified: str | None) -> list[list[_Sample]]:
    if identified is None:
        return [group]
    parts: dict[str, list[_Sample]] = {}
    for one in group:
        parts.setdefault(str(one.row.value.get(identified)), []).append(one)
    return list(parts.values())


def _of_responses(groups: Iterable[list[_Sample]]) -> set[str]:
    """The columns that differ within a problem."""
    found: set[str] = set()
    for group in groups:
        first = group[0].row.value
        for one in group[1:]:
            found |= {name for name, value in one.row.value.items() if name in first and first[name] != value}
    return found


def _joined(group: list[_Sample], identified: str | None, apart: set[str]) -> Row:
    first = group[0]
    try:
        value: dict[str, Any] = {"problem": first.row.value[first.problem], "answer": _gold(group)}
    except TaskError as error:
        return first.row._replace(value=error)
    if first.problem.lower() == "messages":
        value["messages"] = value.pop("problem")
    if identified is not None:
        value["id"] = first.row.value.get(identified)
    names = dict.fromkeys(name for one in group for name in one.row.value)
    gold = DEFAULT_COLUMNS["answer"]
    rest = [n for n in names if n not in first.used and n != identified and str(n).lower() not in (*gold, "metadata")]
    value[CANONICAL] = [_candidate(one) for one in group]
    model = first.row.value.get("policy") or first.row.value.get("model")
    if isinstance(model, str) and not {"policy", "model"} & apart:
        value["policy"] = model
    if "sampling" in rest and "sampling" not in apart:
        value["sampling"] = first.row.value.get("sampling")
        rest.remove("sampling")
    constant = {name: first.row.value.get(name) for name in rest if name not in apart}
    own = first.row.value.get("metadata")
    value["metadata"] = {**constant, **(own if isinstance(own, Mapping) else {})}
    for name in rest:
        if name in apart or isinstance(first.row.value.get(name), int | float):
            value.setdefault(_beside(str(name)), [one.row.value.get(name) for one in group])
    if "metadata" in apart:
        value["row_metadata"] = [one.row.value.get("metadata") for one in group]
    return first.row._replace(value=value)


def _beside(name: str) -> str:
    """What a list beside the candidates is called: an id of each response must not look like the problem's."""
    return f"response_{name}" if name.lower() in DEFAULT_COLUMNS["id"] else name


def _gold(group: list[_Sample]) -> Any:
    """The gold answer that the rows of a problem share."""
    found = {repr(one.row.value[one.answer]): one for one in group if one.answer is not None}
    known = {text: one for text, one in found.items() if one.row.value[one.answer] not in (None, "")}
    if len(known) > 1:
        here, there = list(known)[:2]
        raise known[there].row.error(
            f"the gold answer is {there} here and {here} in another row of this problem; map its column with "
            "columns={'answer': ...}"
        )
    return next((one.row.value[one.answer] for one in known.values()), None)


def _candidate(one: _Sample) -> Any:
    """The response, with how it ended where the row says so."""
    end = one.row.value.get("finish_reason")
    known = isinstance(one.response, str) and end in _ENDS
    return {"text": one.response, "finish_reason": end} if known else one.response
