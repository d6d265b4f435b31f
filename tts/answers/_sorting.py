"""Answers sorted by what they are worth, so that only neighbours need to be compared.

An exact value has a key: two with different keys differ. Decimals are compared with what is within two millionths of
them. What has neither key nor number is compared with everything.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import NamedTuple

from tts.answers._exact import Quotient, exact
from tts.answers.kinds import Expression, Huge, Number, Reading

_WINDOW = 2e-6  # to how much two decimals, or a decimal and an exact number, may differ and be equal
_LARGE = 1e15  # floating numbers as large tell nothing about six places


class Worth(NamedTuple):
    """An exact key, or None for a decimal, with the floating value, or None where there is a symbol."""

    key: Hashable | None
    value: complex | None


def worth(reading: Reading) -> Worth | None:
    """What an answer is worth, or None where only a comparison tells."""
    if isinstance(reading, Number):
        if isinstance(reading.value, Huge) or reading.percent or abs(reading.value) > _LARGE:
            return None
        value = complex(float(reading.value))
        return Worth(None if reading.decimal else reading.value, value)
    if not isinstance(reading, Expression):
        return None
    found = exact(reading.text)
    if found is None or found.decimal or found.key is None:
        return None
    number = found.number
    if number is not None:
        return Worth(number, complex(float(number))) if abs(number) <= _LARGE else None
    size = _floating(found)
    return None if size is not None and abs(size) > _LARGE else Worth(found.key, size)


def _floating(found: Quotient) -> complex | None:
    """The value of an exact number; None where a symbol is in it."""
    total = 0j
    for (radical, powers), factor in found.key or ():
        size = complex(0, math.sqrt(-radical)) if radical < 0 else complex(math.sqrt(radical))
        for name, power in powers:
            constant = {"\\pi": math.pi, "\\e": math.e}.get(name)
            if constant is None or power > 50:
                return None
            size *= constant**power
        total += size * float(factor)
    return total


def pairs_to_compare(nodes: Sequence[Reading]) -> tuple[list[tuple[int, int]], int]:
    """Pairs of nodes that may be equal, in order, and how many others were told apart without a comparison."""
    worths = [worth(node) for node in nodes]
    loose = [place for place, one in enumerate(worths) if one is None]
    pairs = {(min(a, b), max(a, b)) for a in loose for b in range(len(nodes)) if a != b}
    pairs |= set(_of_one_key(worths)) | set(_within_window(worths))
    return sorted(pairs), len(nodes) * (len(nodes) - 1) // 2 - len(pairs)


def _of_one_key(worths: Sequence[Worth | None]) -> list[tuple[int, int]]:
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, one in enumerate(worths):
        if one is not None and one.key is not None:
            places[one.key].append(place)
    return [pair for group in places.values() for pair in combinations(group, 2)]


def _within_window(worths: Sequence[Worth | None]) -> list[tuple[int, int]]:
    """Pairs of values that are so close that a decimal among them may be the other, rounded."""
    valued = sorted(
        (one.value.real, place) for place, one in enumerate(worths) if one is not None and one.value is not None
    )
    pairs = []
    for index, (value, place) in enumerate(valued):
        for other, further in valued[index + 1 :]:
            if other - value > _WINDOW + abs(value) * 1e-12:
                break
            if _decimal(worths[place]) or _decimal(worths[further]):
                pairs.append((min(place, further), max(place, further)))
    return pairs


def _decimal(one: Worth | None) -> bool:
    return one is not None and one.key is None
