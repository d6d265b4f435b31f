"""What is going on in a store, as the page is told it; looked at as often as it is asked for, no oftener."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from tts.contracts.prices import Prices
from tts.metrics.tables import about, counted
from tts.store.glance import Decided
from tts.store.store import Store
from tts.vocabulary.records import Usage

_NEWEST = 50  # decisions that are shown
_SHARE = 0.1  # of the time that looking may take
_LEAST = 1.0  # seconds from one look to the next
_MINUTE = 60.0


class Watched:
    """One store while it is watched; used by several threads."""

    def __init__(self, place: str | Path, prices: Prices | None) -> None:
        self._place, self._prices = place, prices
        self._lock = threading.Lock()
        self._known: set[str] | None = None  # decisions by key, once there has been a look
        self._newest: deque[Decided] = deque(maxlen=_NEWEST)
        self._counts: deque[tuple[float, int]] = deque()  # decisions over the last minute
        self._due, self._told = 0.0, dict[str, Any]()

    def state(self) -> dict[str, Any]:
        """The state as JSON-able values; what was told a moment ago is told again."""
        with self._lock:
            if time.monotonic() >= self._due:
                began = time.monotonic()
                self._told = self._look()
                self._due = time.monotonic() + max(_LEAST, (time.monotonic() - began) / _SHARE)
            return self._told

    def _look(self) -> dict[str, Any]:
        with Store(self._place, read_only=True) as store:
            seen = store.glance()
        self._note(seen.decisions)
        return {
            "problems": seen.counts["problems"],
            "completions": seen.counts["completions"],
            "decisions": dict(sorted(Counter(one.strategy for one in seen.decisions.values()).items())),
            "total": len(seen.decisions),
            "per_minute": self._pace(len(seen.decisions)),
            "working": list(seen.working),
            "under_way": seen.under_way,
            "spent": {role: _told(usage) for role, usage in seen.usage.items() if usage != Usage()},
            "cost": self._cost(seen.usage),
            "newest": [_row(one) for one in reversed(self._newest)],
        }

    def _note(self, decisions: dict[str, Decided]) -> None:
        """Remember what was not there at the look before."""
        if self._known is not None:
            self._newest.extend(one for key, one in decisions.items() if key not in self._known)
        self._known = set(decisions)

    def _pace(self, total: int) -> int:
        """Decisions a minute, over the last one as far as it was watched."""
        now = time.monotonic()
        self._counts.append((now, total))
        while self._counts[0][0] < now - _MINUTE:
            self._counts.popleft()
        began, before = self._counts[0]
        return round((total - before) * _MINUTE / (now - began)) if now > began else 0

    def _cost(self, usage: dict[str, Usage]) -> str:
        if self._prices is None:
            return ""
        known = {role: one for role, one in usage.items() if hasattr(self._prices, role)}
        return f"{self._prices.of(known):,.4f} {self._prices.currency}"


def _told(usage: Usage) -> str:
    return f"{counted(usage.calls, 'call')}, {about(usage)}{usage.prompt_tokens:,} + {usage.generated_tokens:,} tokens"


def _row(one: Decided) -> list[str | None]:
    return [one.problem, one.strategy, one.answer if one.error is None else f"failed: {one.error}", one.gold]
