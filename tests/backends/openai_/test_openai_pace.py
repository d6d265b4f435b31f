"""The limits that a client keeps, beside a simulation of the services that have them; time is simulated, too."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from typing import Any, NamedTuple, Protocol

import pytest

pytest.importorskip("aiohttp")

from hypothesis import given, settings
from hypothesis import strategies as st

from tts_backends.openai.pace import Pace


class Limited(Protocol):
    """A service; `ask` is `True` or the headers of an answer, or the seconds that it asks to wait, or `None`."""

    seconds: float

    def ask(self, now: float) -> bool | float | dict[str, str] | None: ...
    def end(self) -> None: ...


class AtOnce:
    def __init__(self, most: int, after: float | None, seconds: float = 0.25) -> None:
        self._most, self._after, self.seconds, self._there = most, after, seconds, 0

    def ask(self, now: float) -> bool | float | None:
        if self._there >= self._most:
            return self._after
        self._there += 1
        return True

    def end(self) -> None:
        self._there -= 1


class Bucket:
    """So many a second, and so many at once after a rest."""

    def __init__(self, rate: float, burst: int, after: str, seconds: float = 0.25) -> None:
        self._rate, self._burst, self._after, self.seconds = rate, burst, after, seconds
        self._left, self._at = float(burst), 0.0

    def ask(self, now: float) -> bool | float | None:
        self._left, self._at = min(self._burst, self._left + (now - self._at) * self._rate), now
        if self._left >= 1:
            self._left -= 1
            return True
        return told((1 - self._left) / self._rate, self._after)

    def end(self) -> None:
        pass


class Window:
    """At most so many in any span of so many seconds."""

    def __init__(self, most: int, span: float, after: str, seconds: float = 0.25) -> None:
        self._most, self._span, self._after, self.seconds = most, span, after, seconds
        self._log: deque[float] = deque()

    def ask(self, now: float) -> bool | float | None:
        while self._log and self._log[0] <= now - self._span:
            self._log.popleft()
        if len(self._log) < self._most:
            self._log.append(now)
            return True
        return told(self._log[0] + self._span - now, self._after)

    def end(self) -> None:
        pass


class Telling(Bucket):
    """A bucket whose answers say what is left, as OpenAI's: until all is there again."""

    def ask(self, now: float) -> bool | float | dict[str, str] | None:
        said = super().ask(now)
        return said if said is not True else told_left(self._burst, self._left, (self._burst - self._left) / self._rate)


class TellingWindow:
    """So many in each minute by the clock, whose answers say what is left of it."""

    seconds = 0.25

    def __init__(self, most: int) -> None:
        self._most, self._minute, self._used = most, 0, 0

    def ask(self, now: float) -> bool | float | dict[str, str] | None:
        if (minute := int(now // 60)) != self._minute:
            self._minute, self._used = minute, 0
        if self._used >= self._most:
            return 60 - now % 60
        self._used += 1
        return told_left(self._most, self._most - self._used, 60 - now % 60)

    def end(self) -> None:
        pass


def told_left(limit: float, left: float, reset: float) -> dict[str, str]:
    names = ("limit", "remaining", "reset")
    values = (f"{limit:.0f}", f"{math.floor(left)}", f"{reset:.3f}s")
    return {f"x-ratelimit-{name}-requests": value for name, value in zip(names, values, strict=True)}


def told(wait: float, after: str) -> float | None:
    """What `Retry-After` says: nothing, whole seconds, or the very time."""
    return {"silent": None, "whole": float(math.ceil(wait)), "exact": wait}[after]


class Way(NamedTuple):
    """Seconds between client and service, one way: so many, and up to so many more by chance."""

    seconds: float = 0.0025
    jitter: float = 0.0

    def takes(self, rng: random.Random) -> float:
        return self.seconds + rng.random() * self.jitter


NEAR, FAR, FARTHER = Way(), Way(0.05, 0.05), Way(0.1, 0.2)


def served(
    service: Limited, requests: int, pace: Pace | None = None, seed: int = 0, way: Way = NEAR, slots: int = 64
) -> tuple[float, float]:
    """When the last of so many requests is answered, and the share of all attempts that was refused.

    A request and its answer are on their way for a while, so that a refusal is heard of when others are under way; who
    asks has so many slots, and one that is refused keeps its own.
    """
    pace = pace or Pace(64, latency=2 * way.seconds)
    rng, order, now = random.Random(seed), itertools.count(), 0.0
    in_flight = ready = held = refused = sent = done = 0
    events: list[tuple[float, int, str, int, Any]] = []

    def later(seconds: float, what: str, number: int, said: Any = None) -> None:
        heapq.heappush(events, (now + seconds, next(order), what, number, said))

    while done < requests:
        fresh = min(requests - sent, slots - held)
        sent, held, ready = sent + fresh, held + fresh, ready + fresh
        while ready and pace.wait(now, in_flight) <= 0:
            later(way.takes(rng), "there", pace.sent(now, in_flight))
            ready, in_flight = ready - 1, in_flight + 1
        wait = pace.wait(now, in_flight) if ready else math.inf
        if now + wait < (events[0][0] if events else math.inf):
            now += wait + 1e-9
            continue
        now, _, what, number, said = heapq.heappop(events)
        if what == "there":
            said = service.ask(now)
            taken = said is True or isinstance(said, dict)
            takes = rng.uniform(0.6, 1.4) * service.seconds if taken else 0.0
            later(takes + way.takes(rng), "answered" if taken else "refused", number, said)
            if taken:
                later(takes, "over", number)
        elif what == "over":
            service.end()
        elif what == "again":
            ready += 1
        elif what == "answered":
            in_flight, held, done = in_flight - 1, held - 1, done + 1
            if isinstance(said, dict):
                pace.told(now, number, said)
            pace.went_well(now, number)
        else:
            in_flight, refused = in_flight - 1, refused + 1
            pace.refused(now, number, said)
            later(rng.uniform(0, 0.5) if said is None else said, "again", 0)
    return now, refused / (refused + requests)


@pytest.mark.parametrize("way", [NEAR, FAR, FARTHER], ids=["near", "far", "farther"])
@pytest.mark.parametrize("after", [1.0, None], ids=["one second", "silent"])
@pytest.mark.parametrize("most", [3, 5])
def test_how_many_at_once_is_found_with_few_refusals(most: int, after: float | None, way: Way) -> None:
    told = [served(AtOnce(most, after), 80 * most, seed=seed, way=way) for seed in range(3)]
    fixed = 80 * (0.25 + 2 * way.seconds + way.jitter)  # of a client that keeps so many in flight
    assert sum(seconds for seconds, _ in told) / 3 <= 1.2 * fixed + 1
    assert sum(refused for _, refused in told) / 3 <= 0.05


@pytest.mark.parametrize(
    ("way", "share"), [(NEAR, 0.032), (FAR, 0.04), (FARTHER, 0.045)], ids=["near", "far", "farther"]
)
@pytest.mark.parametrize("after", ["exact", "whole", "silent"])
@pytest.mark.parametrize("kind", ["bucket of 60", "window"])
def test_sixty_a_minute_are_kept(kind: str, after: str, way: Way, share: float) -> None:
    def service() -> Limited:
        return Window(60, 60, after) if kind == "window" else Bucket(1, 60, after)

    told = [served(service(), 400, seed=seed, way=way) for seed in range(3)]
    ideal = 400 if kind == "window" else 400 - 60  # the first sixty of a full bucket go at once
    assert sum(seconds for seconds, _ in told) / 3 <= 1.05 * ideal
    assert sum(refused for _, refused in told) / 3 <= share


@pytest.mark.parametrize("way", [NEAR, FAR, FARTHER], ids=["near", "far", "farther"])
def test_where_answers_say_what_is_left_hardly_anything_is_refused(way: Way) -> None:
    seconds, refused = served(Telling(1, 60, "exact"), 400, way=way)
    assert seconds <= 1.05 * 340
    assert refused <= 0.01
    seconds, refused = served(TellingWindow(60), 400, way=way)
    assert seconds <= 1.05 * 400
    assert refused <= 0.03


def test_tokens_that_are_left_are_kept_too() -> None:
    pace = Pace(64)
    pace.spent(100)
    first = pace.sent(0.0, 0)
    told = {"limit": "1000", "remaining": "150", "reset": "8.5s"}
    pace.told(0.1, first, {f"llm_provider-x-ratelimit-{name}-tokens": value for name, value in told.items()})
    pace.went_well(0.1, first)
    assert pace.wait(1.0, 0) == 0
    pace.sent(1.0, 0)
    assert pace.wait(1.0, 0) == 0, "a hundred have come back meanwhile"
    pace.sent(1.0, 0)
    assert pace.wait(1.0, 0) == pytest.approx(0.5, abs=0.01), "and half of a third one"


def test_a_quota_that_comes_back_tomorrow_is_not_waited_for() -> None:
    pace = Pace(64)
    first = pace.sent(0.0, 0)
    pace.told(0.1, first, told_left(1000, 0, 8 * 3600.0))
    pace.went_well(0.1, first)
    assert pace.wait(1.0, 0) == 0, "its refusal ends the run with a sentence"


def test_a_limit_that_is_met_late_is_not_taken_for_a_rate() -> None:
    """Twenty at once, met after many answers, for requests and answers are long on their way."""
    for seed in range(3):
        seconds, refused = served(AtOnce(20, 1.0), 1600, seed=seed, way=FAR)
        assert seconds <= 1.2 * 1600 / 20 * 0.4
        assert refused <= 0.03


@pytest.mark.parametrize("after", ["exact", "whole", "silent"])
def test_one_a_second_and_no_more_at_once(after: str) -> None:
    seconds, refused = served(Bucket(1, 1, after), 600)
    assert seconds <= (1.2 if after == "whole" else 1.1) * 600  # what is rounded up is waited for
    assert refused <= 0.03


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40), st.floats(0.5, 20), st.sampled_from(["exact", "whole", "silent"]), st.floats(0.05, 2.0),
    st.integers(0, 9),
)  # fmt: skip
def test_every_request_is_answered_whatever_the_limit(
    burst: int, rate: float, after: str, seconds: float, seed: int
) -> None:
    for service in (Bucket(rate, burst, after, seconds), AtOnce(burst, None if after == "silent" else 1.0, seconds)):
        took, _ = served(service, 150, seed=seed)
        assert math.isfinite(took)


def test_a_server_without_limits_is_full_within_two_seconds() -> None:
    pace, in_flight, now = Pace(64), 0, 0.0
    while in_flight < 64:
        while pace.wait(now, in_flight) <= 0:
            pace.sent(now, in_flight)
            in_flight += 1
        now += 0.01
    assert now < 2
    assert pace.wait(now, 64) == math.inf


class Chance:
    """Refuses a share of all requests, whatever is sent."""

    seconds = 0.2

    def __init__(self, share: float, after: float | None, seed: int) -> None:
        self._rng, self._share, self._after = random.Random(seed), share, after

    def ask(self, now: float) -> bool | float | None:
        assert now < 2000, "it gets slower and slower"
        return True if self._rng.random() > self._share else self._after

    def end(self) -> None:
        pass


def test_accidents_teach_no_limit() -> None:
    """A fortieth of the answers is a refusal without a word."""
    seconds, _ = served(Chance(0.025, None, 1), 2000)
    assert seconds < 6 * 2000 * 0.2 / 64


@pytest.mark.parametrize("after", [1.0, None], ids=["one second", "silent"])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_refusals_by_chance_do_not_slow_a_run_for_ever(share: float, after: float | None) -> None:
    """A limit may be believed for a while; that slower requests are refused as often ends the belief."""
    for seed in range(3):
        first, _ = served(Chance(share, after, seed), 500, seed=seed)
        whole, _ = served(Chance(share, after, seed), 4000, seed=seed)
        assert whole - first < 3500 / 4  # more than four a second, where the beginning has been one or two


def test_a_limit_that_was_taken_for_chance_is_found_again() -> None:
    pace = Pace(64)
    pace._accidents.share = 0.1
    seconds, refused = served(Bucket(1, 60, "exact"), 400, pace)
    assert seconds <= 1.05 * 340
    assert refused <= 0.12


@pytest.mark.parametrize(("rpm", "tpm", "most"), [(30, None, 30), (None, 3000, 30), (30, 1000, 10)])
def test_what_the_user_says_of_a_minute_is_kept(rpm: int | None, tpm: int | None, most: int) -> None:
    pace, sent, now = Pace(64, rpm, tpm), [], 0.0
    pace.spent(100)
    while now < 240:
        while pace.wait(now, 0) <= 0:
            pace.sent(now, 0)
            sent.append(now)
        now += 0.1
    busiest = max(sum(one <= other < one + 60 for other in sent) for one in sent)
    assert busiest <= most
    assert len(sent) >= 4 * most
