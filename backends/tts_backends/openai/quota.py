"""What a service says is left of its limits, in the headers of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tts_backends.openai.waiting import FORWARDED, PATIENCE, span

_SURE = 3.0  # seconds by which the end of a bucket and that of a window must differ to be told apart


class Told(NamedTuple):
    """One limit as an answer tells it: how much there is, how much is left, in how many seconds all is there again."""

    limit: float
    left: float
    reset: float


def told(headers: Mapping[str, str], what: str) -> Told | None:
    """The limit on "requests" or "tokens", where all of it is told."""
    for prefix in FORWARDED:
        if (left := _number(headers, f"{prefix}x-ratelimit-remaining-{what}")) is not None:
            limit, reset = (_number(headers, f"{prefix}x-ratelimit-{name}-{what}") for name in ("limit", "reset"))
            return Told(limit, left, reset) if limit and reset is not None else None
    return None


def _number(headers: Mapping[str, str], name: str) -> float | None:
    value = headers.get(name)
    return None if value is None else span(value)


class Quota:
    """One limit as it is now, of the last answer that told it and of what has gone out since.

    Most services refill a bucket, and what is used comes back bit by bit until the reset, which is the later the more
    is used; where it stays when it was though more is used, it is a window, at whose end all comes back at once.
    """

    def __init__(self) -> None:
        self._told: Told | None = None
        self._at = self._since = 0.0  # when the request went out that was answered so; what has gone out since
        self._heard: float = 0.0
        self._first, self._first_at = Told(1.0, 1.0, 0.0), 0.0  # which the next are compared with
        self._window = False

    def hear(self, now: float, told: Told, sent: float, since: float) -> None:
        """An answer tells it; its request went out at `sent`, and `since` of the limit has been asked for after it."""
        if self._told is None:
            self._first, self._first_at = told, now
        first = self._first
        used = now - self._first_at + (first.left - told.left) * first.reset / max(first.limit - first.left, 1.0)
        if used >= _SURE:  # a bucket would be full so much later now; the end of a window stays where it is
            self._window = (now + told.reset) - (self._first_at + first.reset) < 0.5 * used
            self._first, self._first_at = told, now
        self._told, self._at, self._since, self._heard = told, sent, since, now

    def take(self, amount: float) -> None:
        """So much is asked for."""
        self._since += amount

    def wait(self, now: float, amount: float) -> float:
        """Seconds until there is so much, as far as it is known.

        What comes back tomorrow is not waited for: the next refusal says so, and ends the run.
        """
        if self._told is None:
            return 0.0
        limit, left, reset = self._told
        end = self._heard + reset
        if now >= end or reset > PATIENCE:
            return 0.0
        rate = 0.0 if self._window or reset <= 0 else max(limit - left, 0.0) / reset
        there = min(limit, left - self._since + rate * (now - self._at))
        if there >= min(amount, limit):
            return 0.0
        return min(end - now, (min(amount, limit) - there) / rate if rate else end - now)
