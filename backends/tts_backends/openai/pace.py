"""How fast one server takes requests, as its refusals teach: how many at once, how many in a while.

Nothing here waits or asks for the time; who uses it does.

* A refusal is heard of after a while, and what has gone out meanwhile may all be in vain. So no more goes out within
  that while than a few, or a small share of what was taken so far, as long as no limit is known; after a pause it is
  one request, then twice as many for each while without a refusal. A server without limits is full within two seconds.
* A refusal while others are in flight is about how many there are, as long as nothing speaks against it: as many as
  were beside the first that was refused is what it takes. One more is tried when many have gone well since, after each
  failure twice as many: additive increase with patience, since each try may be refused. The server sees fewer than are
  in flight, for some are on their way, so the border is not sharp.
* Any other refusal is about time, such as one beside much fewer. What was taken since the last pause, until the end of
  the pause that it asks for, is the rate; what a rest had saved up does not count. From then on requests go out evenly,
  a little faster each time that many have gone well.
* Where answers say what is left of a limit, nothing goes out that would be refused by it.
* Where nobody says how long to wait, one refusal may be an accident; several side by side are a limit, most likely one
  of a minute.
* Refusals that go on although less and less is asked are by chance (`accidents.py`): they teach nothing more.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from tts_backends.openai.accidents import Accidents
from tts_backends.openai.quota import Quota, told

MINUTE = 60.0  # seconds in which services count, where they do not say
_START, _RAMP = 1, 40.0  # in flight at first, and how many more a second
_STEP = 24  # how many in flight for which one more is tried at once
_SOON = 8  # tries of one more in flight: after so many times the number that is known to be good
_FAST, _SLOW = 1.2, 1.01  # times the rate that is tried next, at first and later
_TRIES = 30  # requests that have to go well before that, later; twice as many after each failure
_LONG = 10.0  # seconds of a pause that no place in a crowd takes to become free
_SOME, _MANY = 3, 10  # requests that say about what a rate is, and what the limit of a minute is
_OFTEN = 8  # refusals among the latest outcomes that are no accidents, whatever is beside them
_OUTCOMES = 40  # of which three refusals are no accident where how many at once is known
_AWAY = 2.0  # seconds of it at most: a refusal that takes longer has waited at the server
_HEARD = 1.5  # times the usual time until a refusal is heard of, after which it would have been
_BLIND, _WASTE = 5, 0.05  # requests that may be in vain: so many, or this share of those that were taken
_FIRST, _NEXT = 1.0, 6.0  # seconds of pauses where nobody says how long, which double


class Pace:
    """The limits of one server; `most` is how many may be in flight, `rpm` and `tpm` what a minute may have."""

    def __init__(
        self, most: int | None = None, rpm: int | None = None, tpm: int | None = None, latency: float = 0.0
    ) -> None:
        self._most = math.inf if most is None else most
        self._rpm, self._tpm, self.latency = rpm, tpm, latency
        self._minute: deque[tuple[float, float]] = deque()  # when requests went out, with their tokens
        self._requests, self._tokens = Quota(), Quota()  # what the server says is left
        self.tokens = 0.0  # of an answer with its prompt, a running mean
        self.resume_at = 0.0
        self._ramp_from: float | None = None
        self.ceiling = math.inf
        self._beside: dict[int, tuple[int, float]] = {}  # beside how many each went out that is in flight, and when
        self._last = deque[bool](maxlen=_OUTCOMES)  # of the latest requests: whether they were refused
        self._answer = 0.0  # seconds until an answer is there, a running mean
        self._good = math.inf  # the ceiling, but for the one more that is tried
        self._clean, self._patience = 0, 0.0
        self._number = self._adapted = self._first = 0  # of requests, from 1 on
        self._last_sent = -math.inf
        self.per_second: float | None = None
        self._began: float | None = None  # of what is counted to learn a rate
        self._opened: float | None = None
        self._taken: deque[float] = deque()  # when those went out that the last minute has taken
        self._used = self._grown = self._blind = 0
        self._fast = True
        self._tries, self._before = _TRIES, 0.0  # the rate before it was last raised
        self._lately = deque[float]()  # when those went out of which a refusal may not have been heard
        self._accepted = self._older = 0  # ever; in flight since before it was last adapted
        self._restarted = self._canary = False  # after a pause; the first request since is yet to go out
        self._by_crowd = self._emptied = False  # adapted to a crowd last; what a rest saved up is gone
        self._pausing = True  # the server is left alone since it was last adapted
        self._fresh, self._vain = False, 0  # nothing has gone well since it was last adapted; refused since
        self._earliest = self._refusals = 0  # the first that was refused since, and how many
        self._mixed = False  # some were refused since, and others that went out later were not
        self._peak = 0.0  # how many were in flight when it was refused
        self._full = 0.0  # when a minute is over that is used up
        self._accidents = Accidents()

    def wait(self, now: float, in_flight: int) -> float:
        """Seconds until one more request may go out; infinite where one has to come back first."""
        if now < self.resume_at:
            return self.resume_at - now
        self._ramp_from = now if self._ramp_from is None else self._ramp_from
        if in_flight >= min(self._most, self.ceiling):
            return math.inf
        if in_flight - self._older >= self._window(now):
            return min(1 / _RAMP, self.latency or 1.0)
        if (left := max(self._left_of_minute(now), self._left(now))) > 0:
            return left
        if (left := self._blindly(now)) > 0:
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
        if self._rpm or self._tpm:
            self._minute.append((now, self.tokens))
        self._beside[self._number] = (in_flight, now)
        self._requests.take(1)
        self._tokens.take(self.tokens)
        self._lately.append(now)
        while self._lately[0] < now - self.latency:
            self._lately.popleft()
        if self._canary:
            self._canary, self._ramp_from = False, now
        return self._number

    def told(self, now: float, number: int, headers: Mapping[str, str]) -> None:
        """The headers of an answer, which may say what is left."""
        after, sent = self._number - number, self._beside.get(number, (0, now))[1]
        for quota, what, each in ((self._requests, "requests", 1.0), (self._tokens, "tokens", self.tokens)):
            found = told(headers, what)
            if found is not None:
                quota.hear(now, found, sent, after * each)

    def _left(self, now: float) -> float:
        return max(self._requests.wait(now, 1), self._tokens.wait(now, self.tokens))

    def spent(self, tokens: int) -> None:
        """An answer with its prompt has so many tokens, where they are counted."""
        if tokens:
            self.tokens += (tokens - self.tokens) * (0.1 if self.tokens else 1.0)

    def went_well(self, now: float, number: int) -> None:
        """A request was answered."""
        _, sent = self._over(now, number)
        self._answer += (now - sent - self._answer) * (0.1 if self._answer else 1.0)
        self._last.append(False)
        self._accidents.went_well()
        self._accepted += 1
        if number > self._adapted:
            self._vain, self._fresh = 0, False
        if self._earliest and number > self._earliest:  # it went out later: not all of them are refused
            self._earliest, self._refusals, self._mixed = 0, 0, True
        self._clean += 1
        if self.ceiling < self._most and self._clean >= self._patience:
            self._good, self.ceiling, self._clean = self.ceiling, self.ceiling + 1 + self.ceiling // _STEP, 0
        if self.per_second is not None and number > self._first:
            self._grown += 1
            if self._grown >= (_SOME if self._fast else self._tries):
                self._before, self._grown = self.per_second, 0
                self.per_second *= _FAST if self._fast else _SLOW

    def failed(self, number: int) -> None:
        """A request came to nothing, for a reason that is no limit."""
        self._over(0.0, number)

    def refused(self, now: float, number: int, after: float | None) -> None:
        """A request is too much; leave the server alone `after` seconds."""
        others, sent = self._over(now, number)
        self.latency += (min(now - sent, _AWAY) - self.latency) * (0.25 if self.latency else 1.0)
        self._last.append(True)
        if self._taken:
            self._taken.pop()  # it was not taken
        if number > self._first:
            self._used -= 1
        if self._accidents.refused():
            return
        tried = self._good < math.inf and others >= self._good
        if number <= self._adapted:  # of a crowd that has been learnt from
            if after is not None and not tried and self._pausing:
                self.paused(now + after)
            if self._by_crowd and others < self.ceiling < math.inf:  # sent before the one that was heard of first
                self._good = self.ceiling = float(max(others, 1))
            return
        self._vain, self._refusals = self._vain + 1, self._refusals + 1
        self._earliest = min(self._earliest, number) if self._earliest else number
        if self._is_crowd(others, after, tried=tried):
            self._too_many(now, others, after, tried=tried)
        elif self.per_second is not None or after is not None or self._all_refused(now, 3):
            self._too_fast(now, others, after)

    def _too_many(self, now: float, others: int, after: float | None, *, tried: bool) -> None:
        """Learn how many at once, unless it may be an accident."""
        many = sum(self._last) >= 3 or (self._good == math.inf and self._all_refused(now, 2))
        if after is None and not tried and not many:
            return
        if not tried and self._good < math.inf:
            self._accidents.at_once(self._good)
        if self._by_chance(now):
            return
        self._learnt(others, crowd=True)
        self._crowded(now, others, after, tried=tried or (self._border(others) and not self._fresh))

    def _too_fast(self, now: float, others: int, after: float | None) -> None:
        """Learn how many in a while, but for what a rest had saved up."""
        if self.per_second is not None:
            self._accidents.at_rate(self.per_second, raised=self._before > 0)
        if self._by_chance(now):
            return
        saved = self.per_second is None and not self._emptied and after is not None and after < _LONG
        self._learnt(others, crowd=False)
        if saved:
            self.paused(now + (after or 0.0))
            self._good = self.ceiling = math.inf
            self._measure_anew()
        else:
            self._hurried(now, after)

    def _by_chance(self, now: float) -> bool:
        """Forget what was learnt, where a limit explains the refusals no longer."""
        if self._accidents.share is None:
            return False
        self._good = self.ceiling = math.inf
        self.per_second, self._before, self._blind, self._full = None, 0.0, 0, 0.0
        self._last.clear()
        self._learnt(0, crowd=False)
        self._peak = 0.0
        self.resume_at = self._ramp_from = now
        self._measure_anew()
        self._emptied = False
        return True

    def _is_crowd(self, others: int, after: float | None, *, tried: bool) -> bool:
        """Whether a refusal beside so many others is about how many there are."""
        if self._vain > 2 or not others or self.per_second is not None or (after or 0.0) >= _LONG:
            return False
        if self._good < math.inf:
            return tried or self._border(others)
        if others < 0.5 * self._there * self._peak:  # it was more before
            return False
        return (self._mixed and sum(self._last) >= 3) or self._used <= 3 * others

    def _all_refused(self, now: float, least: int) -> bool:
        """Whether it is no accident: so many at least, and more than went out beside them and are not refused."""
        heard = [sent for number, (_, sent) in self._beside.items() if number > self._earliest]
        kept = sum(now - sent > _HEARD * self.latency for sent in heard)
        often = sum(self._last) >= _OFTEN  # though some go well in between, as where one comes back each second
        return often or (self._fresh and self._vain > 1) or (self._refusals >= least and self._refusals > kept)

    def _border(self, others: int) -> bool:
        """Whether so many may be as many as the server takes, which sees those only that are there."""
        return self._good < math.inf and others >= 0.9 * self._there * self._good

    def _learnt(self, others: int, *, crowd: bool) -> None:
        """From now on it is other requests that teach."""
        self._adapted, self._by_crowd = self._number, crowd
        self._older, self._pausing = len(self._beside), True
        self._mixed, self._refusals = False, 0
        self._peak = float(others) if crowd else max(self._peak, float(others))

    def _over(self, now: float, number: int) -> tuple[int, float]:
        """A request is back: how many were beside it, and when it went out."""
        self._older -= number in self._beside and number <= self._adapted
        return self._beside.pop(number, (0, now))

    @property
    def _there(self) -> float:
        """The share of what is in flight that the server works at: the rest is on its way."""
        if not (self._answer and self.latency):
            return 1.0
        return max(self._answer - self.latency, 0.05 * self._answer) / self._answer

    def _blindly(self, now: float) -> float:
        """Seconds until as few have gone out lately as may all be in vain."""
        if not self.latency or self.per_second is not None or self.ceiling < math.inf:
            return 0.0
        most = max(_BLIND, int(_WASTE * self._accepted))
        return self._lately[-most] + self.latency - now if len(self._lately) >= most else 0.0

    @property
    def words(self) -> str:
        """What limits it now, as learnt; empty where nothing does."""
        if self.per_second is not None:
            return f"{self.per_second:.3g}/s"
        return f"{self.ceiling:g} at once" if self.ceiling < self._most else ""

    def paused(self, until: float) -> None:
        """Leave the server alone until then; one request goes first after that."""
        if until > self.resume_at:
            self.resume_at = self._ramp_from = until
            self._restarted = self._canary = True

    def _window(self, now: float) -> float:
        since = now - (now if self._ramp_from is None else self._ramp_from)
        grown = _START + since * _RAMP
        if self._restarted and self.latency:  # twice as many each time that no refusal of the last has come
            grown = min(grown, _START * 2.0 ** min(since / self.latency, 30.0))
        return max(math.floor(grown), _START)

    def _crowded(self, now: float, others: int, after: float | None, *, tried: bool) -> None:
        self._pausing = not tried
        self._patience = 2 * self._patience if tried else _SOON * float(others)
        self._good = self.ceiling = float(others)
        self._clean = self._earliest = 0
        self._last.clear()
        if not tried:
            self.paused(now + (self.latency * 2**self._vain if after is None else after))
            self._fresh = True
            if after is not None:
                self._measure_anew()

    def _measure_anew(self) -> None:
        """What a rate is learnt from begins after the pause: what a rest has saved up is used up now."""
        self._began, self._emptied = self.resume_at, True
        self._used, self._first, self._earliest = 0, self._number, 0

    def _hurried(self, now: float, after: float | None) -> None:
        self._last.clear()
        began = now if self._began is None else self._began
        since = self._number - max(self._earliest, self._first)  # those will be refused, too
        span, taken, known = now - began, max(self._used - since, 0), self.per_second
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
        self._began = self.resume_at
        self._used = self._grown = self._earliest = 0
        self._first = self._number

    def _guessed(self, now: float, span: float, taken: int) -> tuple[float, float]:
        """A rate with a pause, where nobody says how long."""
        known, since = self.per_second, now - (now if self._opened is None else self._opened)
        if known is None and taken >= _MANY:
            self._full = now - span + MINUTE * 1.002 + self.latency  # clocks and ways differ
            return taken / MINUTE, _NEXT
        if known is None:
            return max(taken, 1) / (span + _FIRST), _FIRST
        if taken:
            if since < MINUTE:
                rate = 0.98 * taken / (span + 1 / known)
                return rate, 1 / max(rate, 1e-3)
            self._before = 0.0  # it may have been too much all the time
            rate = 0.99 * len(self._taken) / MINUTE
            return rate, max(1 / max(rate, 1e-3), self._taken[0] + MINUTE - now if self._taken else 0.0)
        if 0 < self._full <= now:  # the minute is over
            self._full, self._blind = 0.0, 0
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
