"""The columns of a row in which its candidates stand.

Decisions: a column that the user names, or the canonical one, holds candidates or is an error that shows the cell;
other names in common use count where they hold a list, or numbered columns. One text under such a name is a sample,
which only says something beside others of its problem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from tts.rows.cells import begins_a_list, list_of, shown
from tts.rows.columns import DEFAULT_COLUMNS, SAMPLE_COLUMNS
from tts.rows.files import Row
from tts.vocabulary.errors import TaskError, did_you_mean

CANONICAL = DEFAULT_COLUMNS["candidates"][0]
_KNOWN = (*DEFAULT_COLUMNS["candidates"], *SAMPLE_COLUMNS)
_NUMBERED = re.compile(r"(?P<name>.*?)[ _.\-]?(?:\[(?P<place>\d+)\]|(?P<number>\d+))")


class Held(NamedTuple):
    """The columns with the candidates of a row: a list of them all, or one sample in `values`."""

    columns: tuple[str, ...]
    shape: Literal["list", "sample"]
    values: list[Any]


def held(row: Row, columns: Mapping[str, str]) -> Held | None:
    """Where the candidates of a row are; `None` where no column looks like any.

    Raises `TaskError` for a named or canonical column that holds none, and where two columns could.
    """
    if (named := columns.get("candidates")) is not None:
        return _named(row, named)
    taken = set(columns.values())
    present = [name for name in row.value if isinstance(name, str) and name not in taken]
    for name in present:
        if name.lower() == CANONICAL:
            return _canonical(row, name)
    lists = [name for name in present if name.lower() in _KNOWN and _is_set(row.value[name])]
    if len(lists) > 1:
        raise _ambiguous(row, lists)
    if lists:
        return Held((lists[0],), "list", list_of(row.value[lists[0]]) or [])
    for name in _KNOWN:
        if numbered := _numbered(row, name, taken):
            return Held(numbered, "list", [row.value[one] for one in numbered])
    return _sample(row, present)


def _named(row: Row, name: str) -> Held:
    if name not in row.value:
        if numbered := _numbered(row, name.lower(), set()):
            return Held(numbered, "list", [row.value[one] for one in numbered])
        raise row.error(f"no column {name!r}{did_you_mean(name, map(str, row.value))}")
    value = row.value[name]
    if _is_set(value):
        return Held((name,), "list", list_of(value) or [])
    if is_messages(value) or (isinstance(value, str) and not begins_a_list(value)):
        return Held((name,), "sample", [value])
    raise row.error(f"the column {name!r} holds {shown(value)}, which is neither a list of candidates nor one text")


def _canonical(row: Row, name: str) -> Held:
    value = row.value[name]
    if _is_set(value):
        return Held((name,), "list", list_of(value) or [])
    hint = ""
    if isinstance(value, str) and not begins_a_list(value):
        hint = f"; if each row is one response, say so: columns={{'candidates': {name!r}}}"
    raise row.error(f"the column {name!r} holds {shown(value)}, and candidates are a list, or its JSON{hint}")


def _sample(row: Row, present: list[str]) -> Held | None:
    names = [name for name in present if name.lower() in _KNOWN and is_sample(row.value[name])]
    if len(names) > 1:
        raise _ambiguous(row, names)
    return Held((names[0],), "sample", [row.value[names[0]]]) if names else None


def _ambiguous(row: Row, names: list[str]) -> TaskError:
    choice = f"columns={{'candidates': {names[0]!r}}}"
    return row.error(f"{' and '.join(map(repr, names))} could both be the candidates; choose, e.g. {choice}")


def _is_set(value: object) -> bool:
    """A list, or its text, that is no conversation and whose items are candidates, or nothing but what says so."""
    items = list_of(value)
    if items is None or is_messages(items):
        return False
    return isinstance(value, list) or all(isinstance(item, str | Mapping | None) for item in items)


def is_messages(value: object) -> bool:
    """A conversation: one response, written as messages."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, Mapping) and "role" in one and "content" in one for one in value)
    )


def is_sample(value: object) -> bool:
    """One response: text, or messages."""
    return (isinstance(value, str) and bool(value.strip())) or is_messages(value)


def _numbered(row: Row, name: str, taken: set[str]) -> tuple[str, ...]:
    """`response_1`, `response_2` … in the order of their numbers; nothing where there is only one of them."""
    found = []
    for column in row.value:
        match = _NUMBERED.fullmatch(str(column).lower())
        if match and column not in taken and match["name"] in (name, f"{name}s", name.removesuffix("s")):
            found.append((int(match["place"] or match["number"]), str(column)))
    texts = all(isinstance(row.value[column], str | None) for _, column in found)
    return tuple(column for _, column in sorted(found)) if len(found) > 1 and texts else ()
