"""Completions that should differ, as the sign of a cache before the model."""

from __future__ import annotations

_LONG = 40  # characters: shorter texts are often the same by themselves
_ENOUGH = 6  # pairs of equal texts: a small model that is sure of a short answer repeats it, too


class Repeats:
    """Counts pairs of completions of one prompt, drawn at a temperature above 0, that are equal to the letter."""

    def __init__(self) -> None:
        self._same = self._different = 0
        self._told = False

    def note(self, one: str, other: str) -> bool:
        """Take a pair; whether it is time to speak, which it is once."""
        if len(one) < _LONG:
            return False
        self._same += one == other
        self._different += one != other
        if self._told or self._same < _ENOUGH or self._same < 3 * self._different:
            return False
        self._told = True
        return True
