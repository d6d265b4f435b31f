"""Drawing completions: one prompt, one model, indices 0, 1, 2 …, each from the store or from the model.

A `Pool` is what several strategies share: completions arrive in it in any order, everyone who needs them looks on, and
what nobody waits for is cancelled.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import warnings
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, Self, TypeVar

from tts._codec import candidate_of
from tts._contracts import Request
from tts._errors import (
    BackendError,
    BackendTimeout,
    BudgetExceededError,
    ContextLengthError,
    PluginWarning,
    StoreError,
)
from tts._limiter import Priority, rank
from tts._models import Loaded
from tts._records import Candidate, Completion, Message, Problem, Sampling, Usage, digest
from tts._store import Store

ATTEMPTS = 3
_ADDED_AT_ONCE = 64  # usages: adding up each as it comes shows in profiles
T = TypeVar("T")
Extract = Callable[[str], str | None]


class Draw(NamedTuple):
    """One prompt for one model; `role` is "sample" for first candidates, else the role that generates."""

    problem: Problem
    role: str
    model: Loaded
    messages: tuple[Message, ...]
    sampling: Sampling

    @property
    def key(self) -> str:
        """The content key."""
        return draw_key(self.problem, self.role, self.model.fingerprint, self.sampling, self.messages)


def draw_key(
    problem: Problem, role: str, fingerprint: str, sampling: Sampling | None, messages: Sequence[Message]
) -> str:
    """Content key of a draw: problem, role, model, sampling, prompt.

    The role counts, so that a strategy that asks the direct prompt again gets new completions, not the candidates.
    """
    return digest(problem.digest, role, fingerprint, sampling, [[m.role, m.content] for m in messages])


def derive_seed(key: str, index: int) -> int:
    """The seed (63 bits) of one completion; `key` covers run seed, problem, model and prompt.

    So a completion depends on nothing that runs beside it.
    """
    return int.from_bytes(hashlib.blake2b(f"{key}/{index}".encode(), digest_size=8).digest(), "big") >> 1


class Drawer:
    """Draws completions from models into the store and a pool; meters what is really spent.

    `budget` limits generated and prompt tokens together.
    """

    def __init__(
        self, store: Store | None, extract: Extract, budget: int | None, request_timeout: float | None = None
    ) -> None:
        self.store, self.budget, self.request_timeout = store, budget, request_timeout
        self.extract = guarded(extract)
        self._paid: dict[str, list[Usage]] = {}

    def charge(self, role: str, usage: Usage) -> None:
        """Add to what was really spent."""
        paid = self._paid.setdefault(role, [])
        paid.append(usage)
        if len(paid) >= _ADDED_AT_ONCE:
            self._paid[role] = [Usage.total(paid)]

    @property
    def spent(self) -> dict[str, Usage]:
        """What was really spent so far, by role."""
        return {role: Usage.total(paid) for role, paid in self._paid.items()}

    def check_budget(self) -> None:
        """Raise `BudgetExceededError` once the tokens spent reach the budget."""
        if self.budget is not None:
            total = sum(usage.total_tokens for usage in self.spent.values())
            if total >= self.budget:
                raise BudgetExceededError(
                    f"{total:,} tokens are spent and the budget is {self.budget:,}; what is done is kept, "
                    "raise budget= to go on"
                )

    async def draw(self, draw: Draw, indices: Sequence[int], pool: Pool) -> None:
        """Have completions for `indices` arrive in the pool, each when it is finished; those that fail carry `error`.

        A retryable failure is tried again for what is missing. Raises `ContextLengthError`, `BudgetExceededError`.
        """
        missing = list(indices)
        for attempt in range(ATTEMPTS):
            try:
                await self._request(draw, missing, pool)
                if not missing:
                    return
                error = BackendError(f"{draw.model.reference!r} ended {len(missing)} completions short", retryable=True)
            except (ContextLengthError, BudgetExceededError, StoreError):
                raise
            except BackendError as failure:
                error = failure
            except Exception as failure:
                error = BackendError(f"{draw.model.reference!r} raised {type(failure).__name__}: {failure}")
            if not error.retryable or attempt == ATTEMPTS - 1:
                break
            await asyncio.sleep(0.25 * 2**attempt)
        for index in missing:
            pool.arrive(Candidate(index=index, text="", finish_reason="error", error=str(error)))

    async def _next_in_time(
        self, completions: AsyncGenerator[Completion, None], draw: Draw, limit: float
    ) -> Completion | None:
        try:
            async with asyncio.timeout(limit) as watch:
                return await anext(completions, None)
        except TimeoutError as error:
            if not watch.expired():
                raise
            raise BackendTimeout(
                f"{draw.model.reference!r} finished no completion for {limit:g} s (request_timeout)"
            ) from error

    async def _request(self, draw: Draw, missing: list[int], pool: Pool) -> None:
        """One request for what is missing; what arrives is taken from the list."""
        indices = tuple(missing)
        limiter, role = draw.model.limiter, draw.role if draw.role != "sample" else "policy"
        limit = self.request_timeout

        def cancelled(usage: Usage) -> None:
            told = usage.took(time.monotonic() - started)
            usage = told.model_copy(update={"cancelled": max(usage.cancelled, 1)})
            self.charge(role, usage)
            pool.lost(usage)

        held = await limiter.acquire(len(indices), pool.priority)
        pool.begin()
        started = time.monotonic()
        try:
            self.check_budget()
            request = Request(
                messages=draw.messages,
                n=len(indices),
                sampling=draw.sampling,
                seeds=tuple([derive_seed(pool.key, index) for index in indices]),
                context=draw.problem.id,
                priority=rank(pool.priority),
                on_cancelled=cancelled,
            )
            seen: set[int] = set()
            async with aclosing(draw.model.model.generate(request)) as completions:
                while (
                    completion := await (
                        anext(completions, None) if limit is None else self._next_in_time(completions, draw, limit)
                    )
                ) is not None:
                    _check(completion, request, seen, draw.model.reference)
                    usage = completion.usage.took(time.monotonic() - started)
                    if usage is not completion.usage:
                        completion = completion.model_copy(update={"usage": usage})
                    if held > len(indices) - len(seen):
                        limiter.release(1)
                        held -= 1
                    self.charge(role, usage)
                    index = indices[completion.index]
                    if self.store is not None:
                        self.store.put_completion(pool.key, index, completion)
                    candidate = candidate_of(completion, index, self.extract)
                    missing.remove(index)  # what follows cannot fail: it is there
                    pool.arrive(candidate)
        finally:
            limiter.release(held)


async def together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What each returns, all at the same time; one alone needs no task of its own."""
    return [await coroutines[0]] if len(coroutines) == 1 else await asyncio.gather(*coroutines)


def guarded(extract: Extract) -> Extract:
    """An extractor that cannot hurt: where it raises or returns no text there is no answer; one warning names it."""
    warned = False

    def safe(text: str) -> str | None:
        nonlocal warned
        try:
            answer = extract(text)
            if answer is None or isinstance(answer, str):
                return answer
            trouble = f"returned a {type(answer).__name__}; it must return a str or None"
        except Exception as error:  # an extractor is a plugin and may raise anything
            trouble = f"raised {type(error).__name__}: {error}"
        if not warned:
            warned = True
            warnings.warn(f"extractor {extract.__name__!r} {trouble}", PluginWarning, stacklevel=2)
        return None

    return safe


def _check(completion: object, request: Request, seen: set[int], model: str) -> None:
    if not isinstance(completion, Completion):
        raise BackendError(f"{model!r} yielded a {type(completion).__name__}; a backend yields tts.Completion")
    if completion.index >= request.n or completion.index in seen:
        raise BackendError(f"{model!r} yielded completion index {completion.index} twice or beyond n={request.n}")
    seen.add(completion.index)


class Pool:
    """The completions of one draw, shared by all who need them.

    `fixed` are candidates that are there from the start (a stored set). `notify` hears of each arrival.
    """

    def __init__(
        self,
        drawer: Drawer,
        draw: Draw | None,
        priority: Priority,
        *,
        fixed: Iterable[Candidate] = (),
        notify: Callable[[Candidate, bool], None] = lambda _candidate, _stored: None,
    ) -> None:
        self.draw, self.key = draw, draw.key if draw else ""
        self.priority = priority
        self._drawer, self._notify = drawer, notify
        self.arrived: list[Candidate] = list(fixed)
        self._asked = {candidate.index for candidate in self.arrived}
        self._next: list[int] = []  # asked for, but not yet by a pump
        self.failure: BaseException | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._pumps: list[asyncio.Task[None]] = []
        self._stored: dict[int, Completion] | None = None
        self._closing = False
        self.cancelled = Usage()  # of completions that were cut short because nobody needed them any more
        self.began: float | None = None  # when the model first took it up (monotonic seconds)
        self.users = 0  # problems that hold it

    def ensure(self, n: int) -> None:
        """See to it that indices below `n` are there or on their way."""
        missing = [index for index in range(n) if index not in self._asked]
        if missing:
            assert self.draw is not None, "a fixed set cannot grow; the engine checks k before"
            self._asked.update(missing)
            if not self._next:
                self._pumps.append(asyncio.create_task(self._pump(self.draw)))
            self._next += missing

    def _take_stored(self, draw: Draw, indices: Iterable[int]) -> list[int]:
        if self._stored is None:
            store = self._drawer.store
            self._stored = store.completions(self.key) if store else {}
            if store:
                store.put_problem(draw.problem)
                store.put_draw(self.key, draw.problem, draw.role, draw.model.fingerprint, draw.sampling, draw.messages)
        for index in indices:
            if index in self._stored:
                self.arrive(candidate_of(self._stored[index], index, self._drawer.extract), stored=True)
        return [index for index in indices if index not in self._stored]

    async def _pump(self, draw: Draw) -> None:
        # What all strategies ask for in one turn of the loop becomes one request, with one prefill.
        try:
            indices, self._next = self._next, []
            missing = self._take_stored(draw, indices)
            width = draw.model.limiter.slots
            parts = [missing[start : start + width] for start in range(0, len(missing), width)]
            await together([self._drawer.draw(draw, part, self) for part in parts])
        except BaseException as error:
            foreign = isinstance(error, asyncio.CancelledError) and not _cancelling()
            self.failure = BackendError(f"{draw.model.reference!r} cancelled its own request") if foreign else error
            self._wake()
            if not (foreign or isinstance(error, Exception)):
                raise

    def begin(self) -> None:
        """The model takes it up."""
        self.began = self.began or time.monotonic()

    def lost(self, usage: Usage) -> None:
        """What a completion had cost when it was cut short."""
        if self._closing:  # else it is a request that failed and is tried again
            self.cancelled += usage

    def arrive(self, candidate: Candidate, *, stored: bool = False) -> None:
        """A completion is there; who waits for it hears of it. What `notify` raises is the pool's failure."""
        self.arrived.append(candidate)
        try:
            self._notify(candidate, stored)
        except Exception as error:
            self.failure = self.failure or error
        self._wake()

    def _wake(self) -> None:
        waiting = []
        for count, waiter in self._waiters:
            if waiter.done():
                continue
            if self.failure is not None or count <= len(self.arrived):
                waiter.set_result(None)
            else:
                waiting.append((count, waiter))
        self._waiters = waiting

    async def wait(self, count: int) -> None:
        """Until so many have arrived in all, or the draw has failed."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((count, waiter))
        await waiter

    def stream(self, n: int) -> Arrivals:
        """Candidates with an index below `n` in order of arrival."""
        self.ensure(n)
        return Arrivals(self, n)

    async def take(self, n: int) -> list[Candidate]:
        """The first `n` in index order, once all are there; raises what the draw raised."""
        self.ensure(n)
        while len(found := [candidate for candidate in self.arrived if candidate.index < n]) < n:
            if self.failure is not None:
                raise self.failure
            await self.wait(len(self.arrived) + n - len(found))
        return sorted(found, key=lambda candidate: candidate.index)

    async def cancel(self) -> None:
        """Cancel what is still on its way; it is drawn anew if somebody asks again."""
        running = [pump for pump in self._pumps if not pump.done()]
        self._closing = True
        for pump in running:
            pump.cancel()
        if running:
            await asyncio.gather(*running, return_exceptions=True)
        self._closing, self._pumps, self._next, self.failure = False, [], [], None
        self._asked = {candidate.index for candidate in self.arrived}


class Arrivals:
    """An async iterator over a pool; a cancelled `anext` (a timeout) loses nothing."""

    def __init__(self, pool: Pool, n: int) -> None:
        self._pool, self._n = pool, n
        self._position = self._yielded = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Candidate:
        while self._yielded < self._n:
            if self._position < len(self._pool.arrived):
                candidate = self._pool.arrived[self._position]
                self._position += 1
                if candidate.index < self._n:
                    self._yielded += 1
                    return candidate
            elif self._pool.failure is not None:
                raise self._pool.failure
            else:
                await self._pool.wait(self._position + 1)
        raise StopAsyncIteration


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
