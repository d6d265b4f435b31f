"""Equivalence classes of answers.

No class holds two answers that are known to differ; classes are independent of the answers' order. Where a verdict
disagrees with the classes it is kept as a conflict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Conflict(NamedTuple):
    """A verdict that does not fit the classes.

    "intransitive": told equal but kept apart, since one differs from what the other equals; "asymmetric": Math-Verify's
    verdict depends on which is the gold, taken as equal; "undecided": time or memory ran out, taken as unequal.
    """

    kind: Literal["intransitive", "asymmetric", "undecided"]
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Clusters:
    """Equivalence classes of answers.

    Attributes:
        labels: class of each answer, numbered by first appearance; None where there is no answer.
        representatives: of each class the answer that equals most others in it, the first of such.
        sizes: number of answers in each class.
        conflicts: verdicts that do not fit the classes, sorted.
    """

    labels: tuple[int | None, ...]
    representatives: tuple[str, ...]
    sizes: tuple[int, ...]
    conflicts: tuple[Conflict, ...] = ()
