"""What a run may spend, with what is under way counted as spent before it has come."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tts.contracts.prices import Prices
from tts.vocabulary.errors import BudgetExceededError
from tts.vocabulary.records import Problem, Usage


class Limits(NamedTuple):
    """How many tokens and how much money a run may spend, and how many tokens one problem; `None` is no limit."""

    tokens: int | None = None
    cost: float | None = None
    problem_tokens: int | None = None


class Grant:
    """Leave to ask for `n` answers, which count as spent until each has come."""

    def __init__(self, budget: Budget, n: int, held: dict[_Cap, float]) -> None:
        self.n: int = n
        self._budget, self._held, self._left = budget, held, n
        for cap, each in held.items():
            cap.hold(n, each)

    def came(self, role: str, usage: Usage) -> None:
        """One of them is there, and has cost this, which is told the budget otherwise."""
        for cap in self._held:
            cap.learn(role, usage)
        self._free(1)

    def close(self) -> None:
        """No more will come."""
        self._free(self._left)

    def _free(self, n: int) -> None:
        self._left -= n
        for cap, each in self._held.items():
            cap.free(n, each)
        self._budget.wake()


class Budget:
    """The limits of a run, each in its own measure; who asks waits while what is under way may use up the rest."""

    def __init__(self, limits: Limits = Limits(), prices: Prices | None = None) -> None:  # noqa: B008 - immutable
        self._all: list[_Cap] = []
        if limits.tokens is not None:
            self._all.append(_Cap(limits.tokens, _tokens, _IN_TOKENS.format))
        if limits.cost is not None and prices is not None:
            self._all.append(_Cap(limits.cost, partial(_price, prices), partial(_IN_MONEY.format, prices.currency)))
        self._each, self._problems = limits.problem_tokens, dict[str, _Cap]()
        self._costs: dict[str, _Cost] = {}  # of a problem's cap: what an answer costs is known from all problems
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._above: Budget | None = None

    def within(self, tokens: int) -> Budget:
        """A budget of so many tokens inside of this one: what it spends is spent of both."""
        inner = Budget(Limits(tokens))
        inner._above = self
        return inner

    def spent(self, role: str, usage: Usage, problem: Problem | None = None) -> None:
        """Something was paid."""
        for cap in self.caps(problem):
            cap.spent += cap.measure(role, usage)

    async def grant(self, role: str, problem: Problem, n: int, most: Usage, *, whole: bool = False) -> Grant:
        """Leave to ask for some of `n` answers, for all of them where they come only as a `whole`.

        `most` is what one may cost, which counts until it is known what answers do cost. Raises `BudgetExceededError`
        where the rest holds no other answer.
        """
        caps = self.caps(problem)
        if not caps:
            return Grant(self, n, {})
        while True:
            granted = _granted(caps, role, n, most, whole=whole)
            if granted:
                break
            await self.woken()
        return Grant(self, granted, {cap: cap.expected(role, most) for cap in caps})

    def wake(self) -> None:
        """Let those who wait look again, in their order."""
        if self._above is not None:
            self._above.wake()
            return
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def woken(self) -> None:
        """Return when something has come that was under way."""
        if self._above is not None:
            await self._above.woken()
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter

    def caps(self, problem: Problem | None) -> list[_Cap]:
        """The limits that hold for a problem."""
        if self._above is not None:
            return [*self._above.caps(problem), *self._all]
        if self._each is None or problem is None:
            return self._all
        own = self._problems.get(problem.digest)
        if own is None:
            own = self._problems[problem.digest] = _Cap(self._each, _tokens, _OF_A_PROBLEM.format, self._costs)
        return [*self._all, own]


_IN_TOKENS = (
    "{spent:,.0f} tokens are spent and the budget is {limit:,.0f}{rest}; what is done is kept, raise budget= to go on"
)
_IN_MONEY = (
    "{spent:,.4g} {0} are spent and max_cost is {limit:,.4g}{rest}; what is done is kept, raise max_cost= to go on"
)
_OF_A_PROBLEM = "problem_budget={limit:.0f} leaves too few tokens for another answer; raise it to go on"


def _tokens(_role: str, usage: Usage) -> float:
    return usage.total_tokens


def _price(prices: Prices, role: str, usage: Usage) -> float:
    return prices.of({role: usage})


class _Cost:
    """What one answer costs: mean and spread of those that came."""

    def __init__(self) -> None:
        self._n, self.mean, self._squares = 0, 0.0, 0.0

    def learn(self, value: float) -> None:
        self._n += 1
        apart = value - self.mean
        self.mean += apart / self._n
        self._squares += apart * (value - self.mean)

    def expected(self, most: float) -> float:
        """What to expect of one, on the safe side: two deviations more than the mean, and more as few are known."""
        if not self._n:
            return most
        spread = math.sqrt(self._squares / self._n + self.mean**2 / self._n)
        return min(self.mean + 2 * spread, max(most, self.mean)) if most else self.mean + 2 * spread


class _Cap:
    """One limit with what is spent of it and what is held back for answers under way."""

    def __init__(
        self,
        limit: float,
        measure: Callable[[str, Usage], float],
        sentence: Callable[..., str],
        costs: dict[str, _Cost] | None = None,
    ) -> None:
        self.limit, self.measure = limit, measure
        self._sentence, self._costs = sentence, {} if costs is None else costs
        self.spent = self._held = 0.0
        self.under_way = 0
        self._over: BudgetExceededError | None = None

    def _cost(self, role: str) -> _Cost:
        return self._costs.setdefault(role, _Cost())

    def expected(self, role: str, most: Usage) -> float:
        return self._cost(role).expected(self.measure(role, most))

    def hold(self, n: int, each: float) -> None:
        self._held += n * each
        self.under_way += n

    def free(self, n: int, each: float) -> None:
        self.under_way -= n
        self._held = self._held - n * each if self.under_way else 0.0

    def learn(self, role: str, usage: Usage) -> None:
        self._cost(role).learn(self.measure(role, usage))

    def room(self, role: str, n: int, most: Usage) -> int:
        """For how many of n more answers there is room."""
        each, left = self.expected(role, most), self.limit - self.spent - self._held
        return n if each * n <= left else max(0, math.floor(left / each)) if each else n

    def check(self, role: str, n: int) -> None:
        """Raise `BudgetExceededError` where n more are too many though nothing is under way; from then on always."""
        mean = n * self._cost(role).mean
        if self._over is None and (self.spent >= self.limit or (mean and self.spent + mean > self.limit)):
            rest = f", which leaves too little for an answer of about {mean:,.4g}" if self.spent < self.limit else ""
            self._over = BudgetExceededError(self._sentence(spent=self.spent, limit=self.limit, rest=rest))
        if self._over is not None:
            raise self._over


def _granted(caps: list[_Cap], role: str, n: int, most: Usage, *, whole: bool) -> int:
    """How many may be asked for now; 0: look again when something has come. Raises `BudgetExceededError`."""
    least, found = n if whole else 1, n
    for cap in caps:
        room = cap.room(role, n, most)
        if room < least or cap.spent >= cap.limit:
            if cap.under_way and cap.spent < cap.limit:
                return 0
            cap.check(role, least)
            room = least  # nothing is under way: one more than is sure to fit, since it may be short
        found = min(found, room)
    return n if whole else found
