"""The place of a row that is asked for once: a completion of a draw, or a call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypeVar

from tts.store.database import Connection

AT_ONCE = 8_000  # places in a statement: of two values each, which SQLite takes 32,766 of
_STRIDE, _MASK = 0x9E3779B97F4A7C15, (1 << 63) - 1  # an odd stride: the indices of a key never meet
T = TypeVar("T")
Kind = Literal["completion", "call"]
# A cross join, which SQLite takes in the order given: of `(draw, idx) IN (VALUES …)` it makes a walk through the table.
_FIND = {
    "completion": "SELECT draw, idx, completion FROM (VALUES {places}) AS wanted CROSS JOIN completions"
    " WHERE draw=wanted.column1 AND idx=wanted.column2",
    "call": "SELECT key, 0, answer FROM (VALUES {places}) AS wanted CROSS JOIN calls WHERE key=wanted.column1",
}


class Place(NamedTuple):
    """Where a row is or will be: the key of a draw with the index of a completion, or that of a call, with 0."""

    kind: Kind
    key: str
    at: int = 0

    @property
    def claim(self) -> int:
        """The number by which it is claimed (63 bits)."""
        return (_number(self.kind, self.key) + self.at * _STRIDE) & _MASK


@lru_cache(maxsize=4096)
def _number(kind: Kind, key: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{kind}/{key}".encode(), digest_size=8).digest(), "big")


def rows_at(connection: Connection, places: Iterable[Place]) -> dict[Place, str]:
    """What is written at these places, as it is stored."""
    by_kind: dict[Kind, list[Place]] = {}
    for place in places:
        by_kind.setdefault(place.kind, []).append(place)
    found = {}
    for kind, some in by_kind.items():
        for part in parts(some):
            find = _FIND[kind].format(places=",".join(["(?, ?)"] * len(part)))
            values = [value for place in part for value in (place.key, place.at)]
            for key, at, text in connection.execute(find, values).fetchall():
                found[Place(kind, key, at)] = text
    return found


def parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values, as many at a time as a statement may have."""
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))
