"""What a store asks of the database that its rows are in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from tts.vocabulary.errors import StoreError


class Rows(Protocol):
    """What a statement has found, or how many rows it has changed."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All that were found."""


class Connection(Protocol):
    """A connection that commits each statement by itself, outside of a transaction."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        """Run a statement with `?` where its values go."""

    def close(self) -> None:
        """End it."""


class Database(Protocol):
    """A database that can hold a store: what is not the same SQL for all, as `tts/store/tables.py` has it."""

    @property
    def name(self) -> str:
        """What messages call it; never with a password."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What its driver raises."""

    @property
    def now(self) -> str:
        """SQL for the seconds since 1970 by the clock that all who use the database share."""

    @property
    def patience(self) -> float:
        """For how many seconds it is tried again to reach what cannot be reached."""

    def passing(self, error: Exception) -> bool:
        """Whether the same may succeed a little later, on a new connection."""

    def open(self) -> Connection:
        """A connection to a store of today's version, which is made where there is none."""

    def connect(self) -> Connection:
        """A further connection to a store that is there."""

    def transaction(self, connection: Any) -> AbstractContextManager[object]:
        """All that is written inside, or nothing; no other writes meanwhile what would change what is read inside."""

    def error(self, error: BaseException) -> StoreError:
        """What the driver raised, as one sentence."""
