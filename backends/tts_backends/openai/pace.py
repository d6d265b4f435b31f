"""How fast one server takes requests, as its refusals teach: how many at once, how many in a while.

Nothing here waits or asks for the time; who uses it does.

* At first, and after each pause, what is in flight may grow by so many a second, until the server refuses one. So a
  limit costs a few refusals and not as many as there are slots, and a server without limits is full within two seconds.
* A refusal while others are in flight is about how many there are, as long as nothing speaks against it: as many as are
  there is what it takes. One more is tried when many have gone well since, after each failure twice as many: additive
  increase with patience, since each try may be refused.
* Any other refusal is about time. What was taken since the last pause, until the end of the pause that it asks for, is
  the rate; requests go out evenly from then on, a little faster each time that many have gone well.
* Where nobody says how long to wait, one refusal may be an accident; several side by side are a limit, most likely one
  of a minute.
"""

from __future__ import annotations

import math
from collections import deque

MINUTE = 60.0  # seconds in which services count, where they do not say
_START, _RAMP = 1, 40.0  # in flight at first, and how many more a second
_SOON = 8  # tries of one more in flight: after so many times the number that is known to be good
_FAST, _SLOW = 1.2, 1.01  # times the rate that is tried next, at first and later
_TRIES = 30  # requests that have to go well before that, later; twice as many after each failure
_LONG = 10.0  # seconds of a pause that no place in a crowd takes to become free
_SOME, _MANY = 3, 10  # requests that say about what a rate is, and what the limit of a minute is
_STREAK = 4  # refusals side by side, without a word of how long, that are no accident
_FIRST, _NEXT = 1.0, 4.0  # seconds of pauses where nobody says how long, which double


class Pace:
    """The limits of one server; `most` is how many may be in flight, `rpm` and `tpm` what a minute may have."""

    def __init__(self, most: int | None = None, rpm: int | None = None, tpm: int | None = None) -> None:
        self._most = math.inf if most is None else most
        self._rpm, self._tpm = rpm, tpm
        self._minute: deque[tuple[float, float]] = deque()  # when requests went out, with their tokens
        self.tokens = 0.0  # of an answer with its prompt, a running mean
        self.resume_at = 0.0
        self._ramp_from: float | None = None
        self.ceiling = math.inf
        self._beside: dict[int, int] = {}  # how many were in flight when each went out that is
        self._good = math.inf  # the ceiling, but for the one more that is tried
        self._clean, self._patience, self._unsure, self._refuted = 0, 0.0, False, False
        self._number = self._tested = self._adapted = self._last_refused = self._first = 0  # of requests, from 1 on
        self._last_sent = -math.inf
        self.per_second: float | None = None
        self._began: float | None = None  # of what is counted to learn a rate
        self._opened: float | None = None
        self._taken: deque[float] = deque()  # when those went out that the last minute has taken
        self._used = self._grown = self._streak = self._blind = 0
        self._fast = True
        self._tries, self._before = _TRIES, 0.0  # the rate before it was last raised
        self._full = 0.0  # when a minute is over that is used up

    def wait(self, now: float, in_flight: int) -> float:
        """Seconds until one more request may go out; infinite where one has to come back first."""
        if now < self.resume_at:
            return self.resume_at - now
        self._ramp_from = now if self._ramp_from is None else self._ramp_from
        window = self._window(now)
        full = in_flight >= min(self._most, self.ceiling)
        if in_flight >= window and not (self._unsure and in_flight == self.ceiling < self._most):
            return math.inf if full else 1 / _RAMP
        if (left := self._left_of_minute(now)) > 0:
            return left
        return 0.0 if self.per_second is None else max(0.0, self._last_sent + 1 / self.per_second - now)

    def sent(self, now: float, in_flight: int) -> int:
        """A request goes out, beside so many; returns its number."""
        self._number += 1
        self._began = now if self._began is None else self._began
        self._opened = now if self._opened is None else self._opened
        if self.per_second is not None and (idle := now - self._last_sent - 2 / self.per_second) > 0:
            self._began += min(idle, now - max(self._began, self._last_sent))  # what was idle says nothing
        self._used += 1
        self._last_sent = now
        self._taken.append(now)
        while self._taken[0] <= now - MINUTE:
            self._taken.popleft()
        if in_flight >= self.ceiling:
            self._unsure, self._tested = False, self._number
        if self._rpm or self._tpm:
            self._minute.append((now, self.tokens))
        self._beside[self._number] = in_flight
        return self._number

    def spent(self, tokens: int) -> None:
        """An answer with its prompt has so many tokens, where they are counted."""
        if tokens:
            self.tokens += (tokens - self.tokens) * (0.1 if self.tokens else 1.0)

    def went_well(self, number: int) -> None:
        """A request was answered."""
        self._beside.pop(number, None)
        if number == self._tested and self.ceiling < math.inf:  # one more was taken: it is not about how many
            self._good, self.ceiling, self._refuted = math.inf, math.inf, True
            self._ramp_from = self._last_sent
        self._clean += 1
        if self.ceiling < self._most and self._clean >= self._patience:
            self._good, self.ceiling, self._clean = self.ceiling, self.ceiling + 1, 0
        if self.per_second is not None and number > self._first:
            self._grown += 1
            if self._grown >= (_SOME if self._fast else self._tries):
                self._before, self._grown = self.per_second, 0
                self.per_second *= _FAST if self._fast else _SLOW

    def failed(self, number: int) -> None:
        """A request came to nothing, for a reason that is no limit."""
        self._beside.pop(number, None)

    def refused(self, now: float, number: int, after: float | None) -> None:
        """A request is too much; leave the server alone `after` seconds."""
        others = self._beside.pop(number, 0)
        if self._taken:
            self._taken.pop()  # it was not taken
        if number > self._first:
            self._used -= 1
        near = abs(number - self._last_refused) <= 2  # where it is no accident, those beside it are refused, too
        self._streak = self._streak + 1 if near else 1
        self._last_refused = max(number, self._last_refused)
        tried = self._good < math.inf and others >= self._good
        if number <= self._adapted:  # of a crowd that has been learnt from
            if after is not None and not tried:
                self.paused(now + after)
            return
        crowd = others > 0 and self.per_second is None and not self._refuted and (after or 0.0) < _LONG
        if crowd and (tried or (self._good == math.inf and self._used <= 3 * others)):
            if after is None and not tried and self._streak < 2:
                return
            self._adapted = self._number
            self._crowded(now, others, after, tried=tried)
        elif self.per_second is not None or after is not None or self._streak >= _STREAK:
            self._adapted = self._number
            self._hurried(now, after)

    def paused(self, until: float) -> None:
        """Leave the server alone until then."""
        self.resume_at = max(self.resume_at, until)

    def _window(self, now: float) -> float:
        grown = _START + (now - (now if self._ramp_from is None else self._ramp_from)) * _RAMP
        return min(self._most, self.ceiling, max(grown, _START))

    def _crowded(self, now: float, others: int, after: float | None, *, tried: bool) -> None:
        self._patience = 2 * self._patience if tried else _SOON * float(others)
        self._good = self.ceiling = float(others)
        self._clean = 0
        if not tried:
            self._unsure = after is not None  # what is refused again after the pause tells what it is about
            self.paused(now + (after or 0.0))
            self._ramp_from = self.resume_at if after else self._ramp_from

    def _hurried(self, now: float, after: float | None) -> None:
        began = now if self._began is None else self._began
        span, taken, known = now - began, max(self._used, 0), self.per_second
        self._good = self.ceiling = math.inf
        if taken or known is None:
            self._fast = taken < _SOME or (known is None and after is None)  # a guess may be far off
        if after is None:
            rate, pause = self._guessed(now, span, taken)
        else:
            less, rate, pause = (1.0 if known is None else 0.98), known or 1 / max(after, 0.01), after
            if taken:
                rate = less * taken / max(span + after, 0.01)
        self._blind = 0 if taken else self._blind + 1
        if self._before and not self._fast:
            self._tries = min(2 * self._tries, 16 * _TRIES)
        self.per_second, self._before = max(rate, 1e-3, self._before), 0.0
        self.paused(now + pause)
        self._ramp_from = self._began = self.resume_at
        self._used = self._grown = 0
        self._first = self._number

    def _guessed(self, now: float, span: float, taken: int) -> tuple[float, float]:
        """A rate with a pause, where nobody says how long."""
        known, since = self.per_second, now - (now if self._opened is None else self._opened)
        if known is None and taken >= _MANY:
            self._full = now - span + MINUTE * 1.002  # clocks and ways differ
            return taken / MINUTE, _NEXT
        if known is None:
            return max(taken, 1) / (span + _FIRST), _FIRST
        if taken:
            rate = 0.98 * (len(self._taken) / MINUTE if since >= MINUTE else taken / (span + 1 / known))
            return rate, 1 / max(rate, 1e-3)
        self._fast = self._fast and self._full <= now  # refused again within the minute: the guess was right
        pause = (_NEXT if self._full > now else 1 / known) * 2 ** min(self._blind, 6)
        rate = known if self._full > now or self._blind < 2 else known / 2
        return rate, min(pause, self._full - now) if self._full > now else pause

    def _left_of_minute(self, now: float) -> float:
        while self._minute and self._minute[0][0] <= now - MINUTE:
            self._minute.popleft()
        full = self._rpm is not None and len(self._minute) >= self._rpm
        if self._tpm is not None and self._minute:
            full = full or sum(tokens for _, tokens in self._minute) + self.tokens > self._tpm
        return self._minute[0][0] + MINUTE - now if full else 0.0
