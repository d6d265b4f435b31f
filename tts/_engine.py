"""The engine: one task per problem, no barrier between sampling and aggregation.

A problem is decided as soon as its own candidates are there. What bounds the work is one limiter per model, best first:
aggregation before sampling, early problems before late ones. Results stream out as they are decided, and no more
problems are held than keep the models busy.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from tts import _plugins
from tts._context import SAMPLING, StrategyContext, Unit, missing_role
from tts._contracts import Strategy
from tts._decide import Outcome, decide, label_strategies
from tts._draws import Draw, Drawer, Pool
from tts._errors import (
    ConfigError,
    MissingCapabilityError,
    MissingRoleError,
    StoreError,
    TTSError,
)
from tts._events import Event
from tts._models import DEFAULT_MODEL, Loaded, ModelPool
from tts._records import (
    Candidate,
    CandidateSet,
    Decision,
    Example,
    Problem,
    Provenance,
    Result,
    Role,
    Sampled,
    Sampling,
    Usage,
    digest,
)
from tts._store import Store
from tts._stream import stream
from tts._version import __version__
from tts.prompts import direct_messages

T = TypeVar("T")
ROLES: tuple[Role, ...] = ("policy", "scorer", "judge", "synthesizer")


class _Work(NamedTuple):
    problem: Problem
    answer: str | None
    group: int = 0
    fixed: tuple[Candidate, ...] = ()
    policy: str = ""


class Engine:
    """Samples and aggregates; the async face of the library, to be used as an async context manager.

    `model` (the policy), `scorer`, `judge` and `synthesizer` are references `backend:model[@option=value,...]`. `store`
    is the path of a store file or an open `Store`. `concurrency` overrides how many completions a model works on at
    once. `timeout` is in seconds: a strategy that has had nothing in flight for so long is stopped. `budget` is in tokens.
    `listeners` are called with every `Event`.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        scorer: str | None = None,
        judge: str | None = None,
        synthesizer: str | None = None,
        store: Store | str | Path | None = None,
        sampling: Sampling | None = None,
        seed: int | None = None,
        concurrency: int | None = None,
        timeout: float | None = 60.0,
        budget: int | None = None,
        extractor: str = "auto",
        direct_template: str = "direct",
        listeners: Sequence[Callable[[Event], None]] = (),
        models: ModelPool | None = None,
    ) -> None:
        self.references: dict[Role, str | None] = {
            "policy": model, "scorer": scorer, "judge": judge, "synthesizer": synthesizer,
        }  # fmt: skip
        sampling = sampling or Sampling()
        self.sampling = sampling if seed is None else sampling.model_copy(update={"seed": seed})
        self._timeout, self._concurrency, self._direct_template = (
            _positive("timeout", timeout),
            concurrency,
            direct_template,
        )
        _positive("concurrency", concurrency)
        _positive("budget", budget)
        self._listeners = list(listeners)
        self._models, self._owns_models = ModelPool() if models is None else models, models is None
        self._owns_store = not isinstance(store, Store)
        self.store = store if isinstance(store, Store) or store is None else Store(store)
        self._drawer = Drawer(self.store, _plugins.extractor(extractor), budget)
        self._roles: dict[Role, Loaded] = {}
        self._loading = asyncio.Lock()
        from tts.answers import Answers

        self._answers = Answers()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Free models and workers and commit the store; raises `StoreError` where that failed."""
        await self._answers.aclose()
        if self._owns_models:
            await self._models.keep_only(set())
        if self.store is not None and self._owns_store:
            self.store.close()

    @property
    def spent(self) -> dict[str, Usage]:
        """What was really paid so far, per role: stored samples and calls cost nothing."""
        return dict(self._drawer.spent)

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each loaded model, per role."""
        return {role: loaded.fingerprint for role, loaded in self._roles.items()}

    # --- public verbs ----------------------------------------------------------------------------------------------

    async def solve(self, problem: str | Problem, strategy: str | Strategy = "gsr", k: int = 4) -> Result:
        """Sample k candidates of one problem and decide; raises where `run` would record."""
        one = problem if isinstance(problem, Problem) else Problem(id=digest(problem)[:12], prompt=problem)
        async with aclosing(self.run([Example(problem=one)], [strategy], k)) as outcomes:
            async for outcome in outcomes:
                for error in outcome.errors.values():
                    raise error
                return next(iter(outcome.results.values()))
        raise AssertionError("one problem gives one outcome")

    async def sample(self, problems: Iterable[Example], k: int = 4) -> AsyncGenerator[Sampled, None]:
        """Candidate sets in the order in which they are complete; stored ones are not sampled again.

        A problem that cannot be sampled at all gives a set whose candidates carry the error.
        """
        _check_k(k)
        await self._load((), sampling=True)

        async def draw(work: _Work, order: int) -> Sampled:
            pool = self._pool(work, order)
            try:
                candidates = tuple(await pool.take(k))
            except StoreError:
                raise
            except TTSError as error:
                self._emit(Event("problem_failed", work.problem.id, message=str(error)))
                failed = [Candidate(index=i, text="", finish_reason="error", error=str(error)) for i in range(k)]
                candidates = tuple(failed)
            finally:
                await pool.aclose()
            await self._keep(work)
            drawn = CandidateSet(
                problem=work.problem,
                candidates=candidates,
                policy=self._roles["policy"].fingerprint,
                sampling=self.sampling,
            )
            return Sampled(drawn, work.answer)

        works = (_Work(example.problem, example.answer) for example in problems)
        async with aclosing(self._stream(works, draw, k)) as results:
            async for result in results:
                yield result

    def run(
        self, problems: Iterable[Example], strategies: Sequence[str | Strategy], k: int = 4
    ) -> AsyncGenerator[Outcome, None]:
        """Sample k candidates per problem and let every strategy decide on them; outcomes as they are decided."""
        _check_k(k)
        works = (_Work(example.problem, example.answer) for example in problems)
        return self._outcomes(works, strategies, k, sampling=True)

    def compare(
        self, samples: Iterable[Sampled], strategies: Sequence[str | Strategy], k: int = 4
    ) -> AsyncGenerator[Outcome, None]:
        """Let every strategy decide on stored candidates, in non-overlapping groups of k (arXiv 2509.00084, section 4).

        A set of fewer than k is completed by the model that made it, if that is the engine's; else `ConfigError`.
        """
        _check_k(k)
        return self._outcomes(self._groups(samples, k), strategies, k, sampling=False)

    # --- the stream ------------------------------------------------------------------------------------------------

    async def _outcomes(
        self, works: Iterable[_Work], strategies: Sequence[str | Strategy], k: int, *, sampling: bool
    ) -> AsyncGenerator[Outcome, None]:
        labelled = label_strategies([_plugins.strategy(one) for one in strategies])
        await self._load(tuple(labelled.values()), sampling=sampling)
        provenance = {label: self._provenance(one) for label, one in labelled.items()}

        async def work_out(work: _Work, order: int) -> Outcome:
            return await self._decide_all(work, order, k, labelled, provenance)

        async with aclosing(self._stream(works, work_out, k)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    def _stream(
        self, works: Iterable[_Work], decide: Callable[[_Work, int], Awaitable[T]], k: int
    ) -> AsyncGenerator[T, None]:
        slots = max((loaded.limiter.slots for loaded in self._roles.values()), default=64)
        return stream(works, decide, in_flight=8 + 2 * slots // k)

    async def _decide_all(
        self, work: _Work, order: int, k: int, strategies: dict[str, Strategy], provenance: dict[str, Provenance]
    ) -> Outcome:
        started = time.monotonic()
        self._emit(Event("problem_started", work.problem.id))
        pool = self._pool(work, order)
        unit = Unit(
            work.problem, work.group, k, order, pool,
            roles=self._roles, drawer=self._drawer, sampling=self.sampling, answers=self._answers, emit=self._emit,
        )  # fmt: skip
        contexts = {label: StrategyContext(unit, one, self.sampling.seed) for label, one in strategies.items()}
        try:
            decided = await asyncio.gather(
                *(decide(strategies[label], contexts[label], self._timeout) for label in strategies)
            )
        finally:
            await unit.aclose()
        results, errors = {}, {}
        for (label, context), (decision, error, at) in zip(contexts.items(), decided, strict=True):
            if isinstance(error, StoreError):
                raise error
            if error is not None:
                errors[label] = error
            if pool.cancelled.cancelled and len(context.received) < k:
                context.usage["policy"] = context.usage.get("policy", Usage()) + pool.cancelled
            results[label] = self._result(work, context, decision, error, at - started, provenance[label])
        await self._keep(work, pool, results)
        received = {index: c for context in contexts.values() for index, c in context.received.items()}
        candidates = tuple(received[index] for index in sorted(received))
        return Outcome(order, work.problem, work.answer, work.group, candidates, results, errors)

    # --- pieces ----------------------------------------------------------------------------------------------------

    def _groups(self, samples: Iterable[Sampled], k: int) -> Iterator[_Work]:
        for sampled in samples:
            found = sampled.candidates
            if len(found) < k and ("policy" not in self._roles or self._roles["policy"].fingerprint != found.policy):
                raise ConfigError(
                    f"k={k}, but problem {found.problem.id!r} has {len(found)} stored candidates and the model that "
                    f"made them ({found.policy or 'unknown'}) is not given; use k={len(found)} or less, or sample more"
                )
            for group in range(max(1, len(found) // k)):
                members = found.candidates[group * k : (group + 1) * k]
                # Indices count from 0 within a group, so that a strategy never sees where its group lies in the set.
                fixed = tuple(c if c.index == i else c.model_copy(update={"index": i}) for i, c in enumerate(members))
                yield _Work(found.problem, sampled.answer, group, fixed, found.policy)

    def _pool(self, work: _Work, order: int) -> Pool:
        draw = None
        if "policy" in self._roles and (not work.fixed or self._roles["policy"].fingerprint == work.policy):
            messages = direct_messages(work.problem, self._direct_template)
            draw = Draw(work.problem, "sample", self._roles["policy"], messages, self.sampling)

        def notify(candidate: Candidate, stored: bool) -> None:
            self._emit(Event("candidate", work.problem.id, tokens=candidate.usage.generated_tokens, stored=stored))

        return Pool(self._drawer, draw, (SAMPLING, order), fixed=work.fixed, notify=notify)

    async def _load(self, strategies: Sequence[Strategy], *, sampling: bool) -> None:
        """Check every need before the first token is spent, then load what is needed."""
        references = dict(self.references)
        if sampling and references["policy"] is None:
            references["policy"] = DEFAULT_MODEL
        for one in strategies:
            for role in ROLES:
                if getattr(one.needs, role) and references[role] is None:
                    raise MissingRoleError(missing_role(one.name, role))
        given = {role: text for role, text in references.items() if text is not None}
        for role, text in given.items():
            self._models.check(_kind(role), text)
        async with self._loading:
            for role, text in given.items():
                if role not in self._roles:
                    self._emit(Event("loading", message=text))
                    self._roles[role] = await self._share(role, text)
                    self._emit(Event("loaded", message=text))
        self._check_capabilities(strategies)

    async def _share(self, role: Role, text: str) -> Loaded:
        loaded = await self._models.get(_kind(role), text, self._concurrency)
        same = [
            other for name, other in self._roles.items() if _kind(name) == _kind(role) and other.model is loaded.model
        ]
        return same[0] if same else loaded  # two roles of one model share its limiter, too

    def _check_capabilities(self, strategies: Sequence[Strategy]) -> None:
        wants = next((f"strategy {one.name!r}" for one in strategies if one.needs.logprobs), None)
        if self.sampling.logprobs:
            wants = "Sampling(logprobs=True)"
        if wants is not None and "policy" in self._roles and not self._roles["policy"].model.capabilities.logprobs:
            raise MissingCapabilityError(
                f"{wants} needs log-probabilities and {self._roles['policy'].reference!r} gives none"
            )

    def _provenance(self, strategy: Strategy) -> Provenance:
        return Provenance(
            strategy=strategy.name,
            parameters=strategy.model_dump(mode="json"),
            seed=self.sampling.seed,
            models=self.fingerprints,
            version=__version__,
        )

    def _result(
        self,
        work: _Work,
        context: StrategyContext,
        decision: Decision | None,
        error: Exception | None,
        seconds: float,
        provenance: Provenance,
    ) -> Result:
        strategy = provenance.strategy
        if error is None:
            self._emit(Event("decision", work.problem.id, strategy))
        else:
            self._emit(Event("problem_failed", work.problem.id, strategy, f"{type(error).__name__}: {error}"))
        received = tuple(context.received[index] for index in sorted(context.received))
        return Result.model_construct(
            problem=work.problem,
            group=work.group,
            candidates=received,
            decision=decision,
            answer=self._answer(decision, context),
            alternatives=tuple(map(self._extract_visible, decision.alternatives)) if decision else (),
            usage=context.usage,
            seconds=seconds,
            provenance=provenance,
            error=None if error is None else f"{type(error).__name__}: {error}",
        )

    def _answer(self, decision: Decision | None, context: StrategyContext) -> str | None:
        if decision is None:
            return None
        if decision.chosen is not None:
            return context.received[decision.chosen].answer
        return self._extract_visible(decision.text)

    def _extract_visible(self, text: str) -> str | None:
        from tts._thinking import split_thinking

        visible = split_thinking(text)[1]
        return self._drawer.extract(visible) if visible else None

    async def _keep(self, work: _Work, pool: Pool | None = None, results: dict[str, Result] | None = None) -> None:
        """Store problem and results; return when they are safe."""
        if self.store is None:
            return
        self.store.put_problem(work.problem, work.answer)
        if pool is not None:
            candidates = pool.key or digest([c.text for c in work.fixed])
            for result in (results or {}).values():
                self.store.put_result(result, candidates)
        await self.store.flushed()

    def _emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
        if _plugins.plugins().event_listeners:
            _plugins.emit(event, _plugins.plugins().event_listeners)


def _kind(role: Role) -> Any:
    return "backend" if role in {"policy", "synthesizer"} else role


def _check_k(k: int) -> None:
    if k < 1:
        raise ConfigError(f"k={k}: at least one candidate is needed")


def _positive(name: str, value: Any) -> Any:
    if value is not None and value <= 0:
        raise ConfigError(f"{name}={value}: it must be positive, or None for no limit")
    return value
