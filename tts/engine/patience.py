"""How long one strategy waits for its candidates."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from typing import Protocol, Self

from tts.vocabulary.records import Candidate
from tts.vocabulary.time_limits import TimeLimits

_MARGIN, _MOST = 0.1, 0.1  # of the deadline, at most in seconds: what is kept for a vote over what is there

_SPARE = 1.2  # times what a strategy has needed: the next may need a little more


class Arriving(Protocol):
    """Candidates that are on their way: a pool."""

    arrived: list[Candidate]
    failure: BaseException | None

    def ensure(self, n: int) -> None:
        """See to it that so many are there or on their way."""

    async def wait(self, count: int) -> None:
        """Until so many have arrived in all."""

    async def take(self, n: int) -> list[Candidate]:
        """The first n, once all are there."""

    def stream(self, n: int) -> AsyncIterator[Candidate]:
        """They as they arrive."""


class Patience:
    """When a strategy goes on without what has not come; the same set for it from then on.

    Those that are not waited for stand in the set with an `error` that says why, as failed ones do. `started` is when
    the problem arrived, in seconds of the event loop. `needs` is how long the strategy needs once it has them; where
    that is not known and it `writes`, as long as the slowest candidate so far took.
    """

    def __init__(self, limits: TimeLimits | None, started: float, k: int, needs: float | None, *, writes: bool) -> None:
        self._limits, self._started, self._k = limits or TimeLimits(), started, k
        self._needs, self._writes = needs, writes
        self._usable, self._last, self._quorate = 0, 0.0, 0.0
        self._set: list[Candidate] | None = None
        self.stopped: dict[int, str] = {}  # why each is not waited for
        self.given: float = started  # when the strategy last got candidates
        deadline = self._limits.deadline or math.inf
        self._margin = min(_MOST, _MARGIN * deadline)
        # What is left then is for a vote.
        self.cut: float | None = None if deadline == math.inf else started + deadline - self._margin

    @property
    def limited(self) -> bool:
        """Whether there are limits at all."""
        return self._limits.some is not None

    @property
    def reasons(self) -> dict[str, int]:
        """How many are not waited for, by reason."""
        return dict(Counter(self.stopped.values()))

    async def take(self, pool: Arriving, n: int) -> list[Candidate]:
        """The first n in index order, those that are not waited for included."""
        if not self.limited:
            return await pool.take(n)
        found = [candidate async for candidate in self.stream(pool, n)]
        return sorted(found, key=lambda candidate: candidate.index)

    def stream(self, pool: Arriving, n: int) -> AsyncIterator[Candidate]:
        """Candidates with an index below `n` as they arrive, those that are not waited for last."""
        return _Stream(self, pool, n) if self.limited else pool.stream(n)

    def here(self, pool: Arriving) -> list[Candidate]:
        """What can be had now."""
        if self._set is not None:
            return self._set
        return [candidate for candidate in pool.arrived if candidate.index < self._k]

    async def wait(self, pool: Arriving, n: int) -> None:
        """Until another has arrived, or none of the n is waited for any more."""
        until = self._until(pool)
        if until is None:
            await pool.wait(len(pool.arrived) + 1)
            return
        try:
            async with asyncio.timeout_at(until):
                await pool.wait(len(pool.arrived) + 1)
        except TimeoutError:
            end = self._until(pool)
            if end is not None and end <= _now():
                self.close(pool, n)

    def _until(self, pool: Arriving) -> float | None:
        """When waiting ends, as far as can be told now."""
        usable, now = sum(candidate.ok for candidate in self.here(pool)), _now()
        quorum, ends = self._limits.quorum or 1, []
        if usable > self._usable:
            self._usable, self._last = usable, now
        if usable >= quorum:
            self._quorate = self._quorate or now
            if self._limits.grace is not None:
                ends.append(self._quorate + self._limits.grace)
            if self.cut is not None:
                ends.append(self.cut - self._kept())
        return min(ends, default=None)  # with fewer than a quorum it is the deadline that ends the strategy

    def _kept(self) -> float:
        """Seconds that the strategy needs before the deadline."""
        known = self._last - self._started if self._needs is None and self._writes else self._needs or 0.0
        return max(_SPARE * known, self._margin)

    def ask(self, pool: Arriving, n: int) -> None:
        """See to it that the first n come, or stand in the set."""
        if self._set is None:
            pool.ensure(n)
        else:
            self._fill(n, next(iter(self.stopped.values())))

    def close(self, pool: Arriving, n: int) -> list[Candidate]:
        """Wait no more; the set of the first n."""
        if self._set is None:
            self._set = list(self.here(pool))
            self._fill(n, self._reason())
        return self._set

    def _fill(self, n: int, why: str) -> None:
        assert self._set is not None
        found = {candidate.index for candidate in self._set}
        for index in sorted(set(range(n)) - found):
            self.stopped[index] = why
            error = f"not waited for: {why}"
            self._set.append(Candidate(index=index, text="", finish_reason="error", error=error))

    def _reason(self) -> str:
        limits = self._limits
        if limits.grace is not None and self._quorate and self._quorate + limits.grace <= _now():
            return f"the quorum of {limits.quorum} was there and the grace of {limits.grace:g} s was over"
        return f"what was left of the deadline of {limits.deadline:g} s was needed to answer"


class _Stream:
    """The candidates of a pool while there is patience."""

    def __init__(self, patience: Patience, pool: Arriving, n: int) -> None:
        self._patience, self._pool, self._n = patience, pool, n
        self._told: set[int] = set()
        patience.ask(pool, n)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Candidate:
        while len(self._told) < self._n:
            for candidate in self._patience.here(self._pool):
                if candidate.index < self._n and candidate.index not in self._told:
                    self._told.add(candidate.index)
                    return candidate
            if self._pool.failure is not None:
                raise self._pool.failure
            await self._patience.wait(self._pool, self._n)
        raise StopAsyncIteration


def _now() -> float:
    return asyncio.get_running_loop().time()
