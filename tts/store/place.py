"""The place of a row that is asked for once: a completion of a draw, or a call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypeVar

from tts.store.checksum import is_damaged
from tts.store.database import Connection
from tts.vocabulary.errors import StoreError

AT_ONCE = 8_000  # places in a statement: of two values each, which SQLite takes 32,766 of
_STRIDE, _MASK = 0x9E3779B97F4A7C15, (1 << 63) - 1  # an odd stride: the indices of a key never meet
T = TypeVar("T")
Kind = Literal["completion", "call"]
# A cross join, which SQLite takes in the order given: of `(draw, idx) IN (VALUES …)` it makes a walk through the table.
_FIND = {
    "completion": "SELECT draw, idx, completion, checksum FROM (VALUES {places}) AS wanted CROSS JOIN completions"
    " WHERE draw=wanted.column1 AND idx=wanted.column2",
    "call": "SELECT key, kind, problem, answer, checksum FROM (VALUES {places}) AS wanted CROSS JOIN calls"
    " WHERE key=wanted.column1",
}


_TABLE: dict[Kind, str] = {"completion": "completions", "call": "calls"}


class DamagedRow(Exception):  # noqa: N818 - what it is, until a store says it in a sentence
    """A row is not what was stored there."""


def damaged(store: str, what: str) -> StoreError:
    """The sentence for a row that is not what was stored."""
    return StoreError(
        f"store {store!r}: {what} is damaged, its checksum does not fit; `tts store repair {store}` takes out what is, "
        "and the next run asks for it again"
    )


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
            for *row, stored in connection.execute(find, values).fetchall():
                place = Place(kind, row[0], row[1] if kind == "completion" else 0)
                if is_damaged(_TABLE[kind], row, stored):
                    raise DamagedRow(f"{kind} {place.key}" + (f"/{place.at}" if kind == "completion" else ""))
                found[place] = row[-1]
    return found


def parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values, as many at a time as a statement may have."""
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))
