"""What came of one trial: it was survived, or how it was not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Attempt = Callable[[Path, int], "Found"]


class Found(NamedTuple):
    """What a trial found: `faults` by class, `count` how many things were tried in it."""

    lost: int = 0
    twice: int = 0
    wrong: str = ""
    hung: bool = False
    count: int = 1

    @property
    def survived(self) -> bool:
        """Nothing is wrong."""
        return not (self.lost or self.twice or self.wrong or self.hung)

    @property
    def said(self) -> str:
        """How it was not survived, in a few words."""
        parts = [f"{self.lost} lost" * bool(self.lost), f"{self.twice} asked twice" * bool(self.twice)]
        return "; ".join(part for part in [*parts, "hung" * self.hung, self.wrong] if part)


class Trial(NamedTuple):
    """One cell of the matrix: `attempt` gets an empty folder and a seed.

    `quick` ones are tests of their own in the suite. `lacks` says why it cannot be tried here.
    """

    row: str
    name: str
    attempt: Attempt
    quick: bool = False
    lacks: str = ""


class Tried(NamedTuple):
    """A trial with what it found."""

    trial: Trial
    found: Found
    seconds: float

    @property
    def named(self) -> str:
        """Row and name."""
        return f"{self.trial.row}: {self.trial.name}"
