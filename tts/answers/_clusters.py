"""Equivalence classes from pairwise verdicts.

A class is a connected component of the graph of verdicts "equal": symmetric and transitive by construction and
independent of the answers' order. Where a verdict disagrees with the classes it is kept as a conflict.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Conflict(NamedTuple):
    """A verdict that does not fit the classes.

    "intransitive": told unequal but joined through others; "asymmetric": Math-Verify's verdict depends on which is
    the gold, taken as equal; "undecided": time or memory ran out, taken as unequal.
    """

    kind: Literal["intransitive", "asymmetric", "undecided"]
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Clusters:
    """Equivalence classes of answers.

    Attributes:
        labels: class of each answer, numbered by first appearance; None where there is no answer.
        representatives: first answer of each class.
        sizes: number of answers in each class.
        conflicts: verdicts that do not fit the classes, sorted.
    """

    labels: tuple[int | None, ...]
    representatives: tuple[str, ...]
    sizes: tuple[int, ...]
    conflicts: tuple[Conflict, ...] = ()


def components(count: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Component of each of `count` nodes, named by its smallest member."""
    roots = list(range(count))

    def root(node: int) -> int:
        while roots[node] != node:
            roots[node] = roots[roots[node]]
            node = roots[node]
        return node

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        roots[high] = low
    return [root(node) for node in range(count)]


def assemble(answers: Sequence[str | None], classes: dict[str, int], conflicts: Iterable[Conflict]) -> Clusters:
    """Clusters in order of first appearance; `classes` gives the component of each answer."""
    numbers: dict[int, int] = {}
    labels: list[int | None] = []
    representatives: list[str] = []
    sizes: list[int] = []
    for answer in answers:
        if answer is None:
            labels.append(None)
            continue
        component = classes[answer]
        if component not in numbers:
            numbers[component] = len(numbers)
            representatives.append(answer)
            sizes.append(0)
        labels.append(numbers[component])
        sizes[numbers[component]] += 1
    return Clusters(tuple(labels), tuple(representatives), tuple(sizes), tuple(sorted(set(conflicts))))
