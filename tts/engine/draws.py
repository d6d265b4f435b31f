"""Drawing completions: one prompt, one model, indices 0, 1, 2 …, each stored as it arrives."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from tts.boundary.foreign import Foreign
from tts.boundary.raised import did, origin, passes
from tts.contracts.models import Request
from tts.engine.budget import Budget, Grant
from tts.engine.given import as_stored, check_completion, generator_of
from tts.engine.limiter import Priority, rank
from tts.engine.models import Loaded
from tts.engine.origins import Origins
from tts.engine.turns import Turns
from tts.store.candidate import candidate_of
from tts.store.store import Store
from tts.vocabulary.errors import (
    BackendError,
    BudgetExceededError,
    ContextLengthError,
    StoreError,
    TTSError,
)
from tts.vocabulary.record import digest
from tts.vocabulary.records import Candidate, Completion, FinishReason, Message, Problem, Sampling, Usage

ATTEMPTS = 3
MOST_TOKENS = 32_768  # what a sampling without a limit may have
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
    def payer(self) -> str:
        """The role that its cost counts for."""
        return "policy" if self.role == "sample" else self.role

    @property
    def most(self) -> Usage:
        """What one completion may cost: a prompt of four letters a token, and all the tokens that it may have."""
        prompt = sum([len(one.content) for one in self.messages]) // 4
        context = self.model.model.capabilities.context_length
        limit = self.sampling.max_tokens or MOST_TOKENS
        return Usage(prompt_tokens=prompt, answer_tokens=limit if context is None else min(limit, context))

    def key(self, store: Store | None) -> str:
        """The content key, as this store has it."""
        return stored_key(store, self.problem, self.role, self.model.fingerprint, self.sampling, self.messages)


def draw_key(
    problem: Problem, role: str, fingerprint: str, sampling: Sampling | None, messages: Sequence[Message]
) -> str:
    """Content key of a draw: problem, role, model, sampling, prompt.

    The role counts, so that a strategy that asks the direct prompt again gets new completions, not the candidates.
    Log-probabilities do not: asking for them changes no completion.
    """
    return _key(problem, role, fingerprint, sampling and _measured(sampling, False), messages)


def stored_key(
    store: Store | None,
    problem: Problem,
    role: str,
    fingerprint: str,
    sampling: Sampling | None,
    messages: Sequence[Message],
) -> str:
    """The key under which a store has a draw, or is to have it.

    Early stores have a draw with log-probabilities under a key of its own, and go on with it; where they have both,
    each goes on with its own.
    """
    key = draw_key(problem, role, fingerprint, sampling, messages)
    if store is None or sampling is None:
        return key
    early = _key(problem, role, fingerprint, _measured(sampling, True), messages)
    there = store.drawn(key, early)
    return early if early in there and (sampling.logprobs or key not in there) else key


def _key(problem: Problem, role: str, fingerprint: str, sampling: Sampling | None, messages: Sequence[Message]) -> str:
    return digest(problem.digest, role, fingerprint, sampling, [m.row for m in messages])


def _measured(sampling: Sampling, logprobs: bool) -> Sampling:
    return sampling if sampling.logprobs == logprobs else sampling.model_copy(update={"logprobs": logprobs})


def derive_seed(key: str, index: int) -> int:
    """The seed (63 bits) of one completion; `key` covers run seed, problem, model and prompt.

    So a completion depends on nothing that runs beside it.
    """
    return int.from_bytes(hashlib.blake2b(f"{key}/{index}".encode(), digest_size=8).digest(), "big") >> 1


class Receiver(Protocol):
    """Where the completions of one draw arrive; `lacking` are the indices whose stored rows are to be replaced."""

    key: str
    priority: Priority
    lacking: frozenset[int]
    arrived: list[Candidate]
    tell: Callable[[str], None] | None

    def begin(self) -> None:
        """The model takes it up."""

    def arrive(self, candidate: Candidate, *, stored: bool = False) -> None:
        """A completion is there."""

    def lost(self, usage: Usage) -> None:
        """What a completion had cost when it was cut short."""

    def will_do(self, completion: Completion) -> bool:
        """Whether a stored completion is what is asked for here."""

    def found(self, index: int, completion: Completion) -> None:
        """A completion is stored."""


class Drawer:
    """Draws completions from models into the store and a pool; meters what is really spent, within a budget."""

    def __init__(self, store: Store | None, extract: Extract, budget: Budget, above: Drawer | None = None) -> None:
        self.store: Store | None = store
        self.budget: Budget = budget
        self.extract: Extract = extract
        self.origins: Origins = Origins() if above is None else above.origins
        self._paid: dict[str, list[Usage]] = {}
        self._above = above
        self._turns: Turns | None = None if store is None else Turns(store)

    def within(self, budget: int) -> Drawer:
        """A drawer with a budget of its own, in tokens, whose spending counts here, too."""
        inner = Drawer(self.store, self.extract, self.budget.within(budget), self)
        inner._turns = self._turns
        return inner

    def charge(self, role: str, usage: Usage, problem: Problem | None = None) -> None:
        """Add to what was really spent, on a problem."""
        self.budget.spent(role, usage, problem)
        self.add(role, usage)

    def add(self, role: str, usage: Usage) -> None:
        """Add to what was paid here and above, whatever budget it is of."""
        if self._above is not None:
            self._above.add(role, usage)
        paid = self._paid.setdefault(role, [])
        paid.append(usage)
        if len(paid) >= _ADDED_AT_ONCE:
            self._paid[role] = [Usage.total(paid)]

    @property
    def spent(self) -> dict[str, Usage]:
        """What was really spent so far, by role."""
        return {role: Usage.total(paid) for role, paid in self._paid.items()}

    async def draw(self, draw: Draw, indices: Sequence[int], pool: Receiver) -> None:
        """Have completions for `indices` arrive in the pool, each when it is finished; those that fail carry `error`.

        With a store, what another process asks for is waited for, and what it stores arrives; where it ends without
        storing it, it is asked for here. Raises `ContextLengthError`, `StoreError`, and `BudgetExceededError` where
        nothing of the draw has arrived; what is there is worth having, and what the budget leaves out is missing.
        """
        if self._turns is None:
            await self._drawn(draw, pool, indices)
        else:
            await self._turns.take(pool, indices, draw.model.limiter, partial(self._drawn, draw, pool))

    async def _drawn(self, draw: Draw, pool: Receiver, indices: Sequence[int]) -> None:
        """Ask the model; for what is missing after a retryable failure again, not for a completion that has failed."""
        missing, attempt = list(indices), 0
        while True:
            try:
                with Foreign():
                    asked = await self._request(draw, missing, pool)
                if not missing:
                    return
                if not asked & set(missing):  # the budget has room for some at a time
                    continue
                error = BackendError(f"{draw.model.reference!r} ended {len(missing)} completions short", retryable=True)
            except ContextLengthError:
                raise
            except BackendError as failure:
                error = failure
            except BaseException as failure:
                ours = origin(failure).startswith("tts.")  # a model may raise what only we may
                if ours and isinstance(failure, BudgetExceededError) and pool.arrived:
                    _fail(missing, failure, pool)
                    return
                if passes(failure) or (ours and isinstance(failure, BudgetExceededError | StoreError)):
                    raise
                cancelled = isinstance(failure, asyncio.CancelledError)
                error = BackendError(
                    f"{draw.model.reference!r} {'cancelled its own request' if cancelled else did(failure)}"
                )
            attempt += 1
            if not missing or not error.retryable or attempt == ATTEMPTS:
                break
            await asyncio.sleep(0.25 * 2 ** (attempt - 1))
        _fail(missing, error, pool)

    async def _request(self, draw: Draw, missing: list[int], pool: Receiver) -> set[int]:
        """One request for what is missing, as far as the budget goes; what arrives is taken from the list.

        Returns what was asked for.
        """
        limiter, role, held = draw.model.limiter, draw.payer, 0

        def cancelled(usage: Usage) -> None:
            told = usage.took(time.monotonic() - started)
            usage = told.model_copy(update={"cancelled": max(usage.cancelled, 1)})
            self.charge(role, usage, draw.problem)
            pool.lost(usage)

        landing, seen = _Landing(), set[int]()

        def abandon(error: BackendError) -> None:
            nonlocal held
            limiter.release(held)
            held = 0
            if self._turns is not None:
                self._turns.settle(pool.key, missing)
            _fail(missing, error, pool)

        granted: Grant | None = None
        held = await limiter.acquire(len(missing), pool.priority)
        try:
            granted = await self.budget.grant(role, draw.problem, len(missing), draw.most)
            indices = tuple(missing[: granted.n])
            limiter.release(max(held - granted.n, 0))
            held = min(held, granted.n)
            pool.begin()
            started, request = time.monotonic(), _asked(draw, pool, indices, cancelled)
            with limiter.calls.begin(abandon=abandon) as call:
                async with aclosing(
                    generator_of(draw.model.model.generate(request), draw.model.reference)
                ) as completions:
                    while (completion := await anext(completions, None)) is not None and not call.abandoned:
                        check_completion(completion, request, seen, draw.model.reference)
                        completion = as_stored(completion)
                        limiter.calls.answered()
                        usage = completion.usage.took(time.monotonic() - started)
                        if usage is not completion.usage:
                            completion = completion.model_copy(update={"usage": usage})
                        if held > len(indices) - len(seen):
                            limiter.release(1)
                            held -= 1
                        self.charge(role, usage, draw.problem)
                        granted.came(role, usage)
                        index = indices[completion.index]
                        if completion.whole:
                            self.origins.came(draw.model, completion)
                        self._arrived(completion, index, draw.model.reference, pool, landing)
                        missing.remove(index)
            return set(indices)
        finally:
            limiter.release(held)
            if granted is not None:
                granted.close()
            await landing.over()

    def _arrived(self, completion: Completion, index: int, model: str, pool: Receiver, landing: _Landing) -> None:
        """Hand a completion on: the one that is stored, once it is; one that failed, or without a store, at once."""
        candidate = _failed(completion, index, model)
        if candidate is not None or self.store is None:
            pool.arrive(candidate or candidate_of(completion, index, self.extract))
            return

        def land(stored: Completion | StoreError) -> None:
            if isinstance(stored, Completion):
                pool.arrive(candidate_of(stored, index, self.extract))
            landing.landed(stored)

        self.store.keep_completion(pool.key, index, completion, land, better=index in pool.lacking)
        landing.count += 1


def _telling(draw: Draw, indices: Sequence[int], pool: Receiver) -> Callable[[int, str], None] | None:
    """What a backend tells of completions while it writes them, where somebody reads the first; at one attempt only."""
    tell = pool.tell
    if tell is None or 0 not in indices or not draw.model.model.capabilities.streams:
        return None
    pool.tell = None  # what is begun anew would be told twice
    first = indices.index(0)
    return lambda place, text: tell(text) if place == first else None


class _Landing:
    """How many completions of a request are on their way into the store."""

    def __init__(self) -> None:
        self.count = 0
        self._failure: StoreError | None = None
        self._over: asyncio.Future[None] | None = None

    def landed(self, stored: Completion | StoreError) -> None:
        """One is there, or cannot be."""
        self.count -= 1
        if isinstance(stored, StoreError):
            self._failure = stored
        if not self.count and self._over is not None and not self._over.done():
            self._over.set_result(None)

    async def over(self) -> None:
        """Return when none is left; raises what kept one from being stored."""
        if self.count:
            self._over = asyncio.get_running_loop().create_future()
            await self._over
        if self._failure is not None:
            raise self._failure


async def together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What each returns, all at the same time; one alone needs no task of its own."""
    return [await coroutines[0]] if len(coroutines) == 1 else await asyncio.gather(*coroutines)


def _asked(draw: Draw, pool: Receiver, indices: tuple[int, ...], cancelled: Callable[[Usage], None]) -> Request:
    return Request(
        messages=draw.messages,
        n=len(indices),
        sampling=draw.sampling,
        seeds=tuple([derive_seed(pool.key, index) for index in indices]),
        context=draw.problem.id,
        priority=rank(pool.priority),
        on_cancelled=cancelled,
        on_text=_telling(draw, indices, pool),
    )


def _fail(missing: list[int], error: TTSError, pool: Receiver) -> None:
    """What is missing arrives as failed."""
    while missing:
        pool.arrive(Candidate(index=missing.pop(0), text="", finish_reason="error", error=str(error)))


def _failed(completion: Completion, index: int, model: str) -> Candidate | None:
    """The failed candidate where nothing whole came; it is not stored, so that the next run asks again."""
    error = completion.error
    if completion.whole:
        if completion.text or completion.usage.generated_tokens:
            return None
        error = f"{model!r} gave an empty completion of no tokens"
    reason: FinishReason = "refused" if completion.finish_reason == "refused" else "error"
    error = error or f"{model!r} ended a completion with {completion.finish_reason!r}"
    return Candidate(index=index, text="", finish_reason=reason, usage=completion.usage, error=error)
