"""What a call has done so far, counted from its events."""

from __future__ import annotations

import time
from typing import Literal

from tts.vocabulary.events import Event

Unit = Literal["decision", "candidate"]


class Tally:
    """What has happened so far; `done` counts decisions or candidates, failed ones included."""

    def __init__(self, unit: Unit, total: int | None) -> None:
        self.unit: Unit = unit
        self.total: int | None = total
        self.started: float = time.monotonic()
        self.done: int = 0
        self.candidates: int = 0
        self.stored: int = 0
        self.tokens: int = 0
        self.failed: int = 0

    def add(self, event: Event) -> None:
        """Count an event."""
        if event.kind == "candidate":
            self.candidates += 1
            self.stored += event.stored
        if event.kind in ("candidate", "call") and not event.stored:
            self.tokens += event.tokens
        self.failed += event.kind == "problem_failed"
        self.done += event.kind == self.unit or (self.unit == "decision" and event.kind == "problem_failed")

    @property
    def rates(self) -> str:
        """Per second, since the start."""
        seconds = max(time.monotonic() - self.started, 1e-3)
        tokens = f", {self.tokens / seconds:,.0f} tokens/s" if self.tokens else ""
        return f"{self.done / seconds:,.1f}/s{tokens}"

    @property
    def rest(self) -> str:
        """How many are to come, and about how long that takes at the rate so far; empty where nobody knows."""
        left = (self.total or 0) - self.done
        if left <= 0 or not self.done:
            return ""
        seconds = left * (time.monotonic() - self.started) / self.done
        return f"; {left:,} to go, ≈ {f'{seconds:.0f} s' if seconds < 100 else f'{seconds / 60:.0f} min'}"

    def line(self) -> str:
        """One line that says it all."""
        of = f"/{self.total}" if self.total else ""
        one = self.total == 1 or (self.total is None and self.done == 1)
        parts = [f"{self.done}{of} {self.unit}{'' if one else 's'}"]
        if self.unit != "candidate" and self.candidates:
            parts.append(f"{self.candidates} candidate{'' if self.candidates == 1 else 's'}")
        if self.stored:
            parts.append(f"{self.stored} of them from the store")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.tokens:
            parts.append(f"{self.tokens:,} tokens")
        return f"{', '.join(parts)}; {self.rates}"
