"""Whether the candidates of a set are alike, whatever their place in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tts.metrics.difference import difference
from tts.metrics.estimate import Estimate

ALARMS = 5  # so many times stricter than a single question: 1 % of the sets that are alike are called unlike


class UnlikeSlots(NamedTuple):
    """Candidates of one set that are not alike, such as those of several models; prints as one sentence.

    `low` and `high` are the slots, from 0, whose candidates are right least and most often, `accuracy` how often those
    of each slot are. Groups of neighbours are then no fair sample of a set, and neither is the first candidate.
    """

    low: int
    high: int
    accuracy: dict[int, float]

    def __str__(self) -> str:
        low, high = (f"{100 * self.accuracy[slot]:.1f} %" for slot in (self.low, self.high))
        return (
            f"candidates of one set are not alike: those of slot {self.low} are right in {low}, of slot {self.high} in "
            f"{high}, so groups of neighbours are no fair sample; shuffle the sets, or estimate over all subsets"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return self._asdict() | {"accuracy": {str(slot): share for slot, share in self.accuracy.items()}}


def unlike_slots(sets: Mapping[str, Sequence[bool]]) -> UnlikeSlots | None:
    """Slots whose candidates are right more, or less, often than the others of their sets; `None` where none tells.

    `sets` has for each problem whether each of its candidates is right, in their order. Each slot is compared with its
    problem's mean, as a paired difference, all slots at once.
    """
    slots = min(map(len, sets.values()), default=0)
    told, accuracy = False, {}
    for slot in range(slots if len(sets) > 1 else 0):
        found = difference((problem, own[slot] - sum(own) / len(own)) for problem, own in sets.items())
        assert found is not None
        among = found.interval(ALARMS * slots)
        told = told or among.low > 0 or among.high < 0
        accuracy[slot] = sum(own[slot] for own in sets.values()) / len(sets)
    if not told:
        return None
    return UnlikeSlots(min(accuracy, key=accuracy.__getitem__), max(accuracy, key=accuracy.__getitem__), accuracy)


def position_bias(shares: Mapping[int, Sequence[tuple[str, float]]]) -> dict[int, Estimate]:
    """How much more often than by chance each position is followed, with intervals that hold for all at once."""
    found = {}
    for place, own in shares.items():
        one = difference((problem, share - 1 / len(shares)) for problem, share in own)
        if one is not None:
            found[place] = one.interval(len(shares))
    return found
