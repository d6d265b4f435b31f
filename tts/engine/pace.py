"""How long strategies have needed once they had their candidates."""

from __future__ import annotations

from collections import deque

_REMEMBERED = 32  # decisions of a strategy: what servers need changes with their load
_SHARE = 0.9  # so many of them would have been in time
_CUT = 1.5  # times what it had: how long one may have needed that was stopped


class Pace:
    """Seconds from the candidates to the decision, by strategy."""

    def __init__(self) -> None:
        self._needed: dict[str, deque[float]] = {}

    def took(self, strategy: str, seconds: float, *, cut: bool) -> None:
        """A strategy has decided, or was cut at the deadline."""
        needed = self._needed.setdefault(strategy, deque(maxlen=_REMEMBERED))
        needed.append(max(seconds, 0.0) * (_CUT if cut else 1.0))

    def needs(self, strategy: str) -> float | None:
        """The seconds in which nine of ten decisions were made; `None` where there was none yet."""
        needed = sorted(self._needed.get(strategy, ()))
        return needed[round(_SHARE * (len(needed) - 1))] if needed else None
