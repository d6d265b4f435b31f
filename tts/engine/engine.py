"""The engine: one task per problem, no barrier before aggregation.

A problem is decided as soon as its own candidates are there. What bounds the work is one limiter per model, best first:
aggregation before sampling, early problems before late ones. Results stream out as they are decided, and no more
problems are held than keep the models busy.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

from tts._version import __version__
from tts.answers import expected
from tts.answers.forms import Equality, form_of
from tts.answers.shared import hold
from tts.bridge.threads import in_thread
from tts.contracts.grader import Extract
from tts.contracts.grader import extractor as extractor_of
from tts.contracts.labels import label_strategies
from tts.contracts.models import Backend, Judge, Scorer
from tts.contracts.prices import Prices
from tts.contracts.strategy import Strategy
from tts.contracts.strategy import strategy as strategy_of
from tts.engine.arguments import check_k, check_limits, check_positive, prices_of
from tts.engine.budget import Budget, Limits
from tts.engine.built_in import only_sums
from tts.engine.calls import Limit
from tts.engine.code import code_behind
from tts.engine.context import count_tokens
from tts.engine.draws import Drawer, together
from tts.engine.functions import JudgeFunction, ModelFunction, ScorerFunction
from tts.engine.instruction import Instruction
from tts.engine.mismatch import warn_of_mismatches
from tts.engine.models import Loaded, ModelPool
from tts.engine.order_trials import OrderTrials
from tts.engine.roles import Roles
from tts.engine.runner import Plan, Runner
from tts.engine.stream import stream
from tts.engine.terms import AS_THE_ENGINE, Terms
from tts.engine.understood import check_sampling
from tts.engine.watchdog import Watchdog
from tts.engine.work import Work, groups
from tts.prompts import DIRECT_FIELDS, read_template
from tts.registry.host import emit, plugins
from tts.registry.instance import build
from tts.store.store import Store
from tts.vocabulary.errors import ConfigError, NoCandidatesError, StoreError, TaskError, TTSError
from tts.vocabulary.events import Event
from tts.vocabulary.outcome import Outcome
from tts.vocabulary.record import digest
from tts.vocabulary.records import Candidate, Example, Problem, Provenance, Result, Role, Sampled, Sampling, Usage
from tts.vocabulary.time_limits import TimeLimits

T = TypeVar("T")


class Engine:
    """Samples and aggregates; the async face of the library, to be used as an async context manager.

    `model` (the policy), `scorer`, `judge` and `synthesizer` are references `backend:model[@option=value,...]`,
    functions of the user's own (also as `FILE.py:function`), or objects, which the engine does not close. `store` is
    the path of a store file or an open `Store`. `concurrency` overrides how many completions a model works on at once.
    Two limits are in seconds, or `None`: a strategy that has had nothing in flight for `timeout` is stopped; what is
    asked of a model ends, in whatever role, when nothing at all has come from it for `request_timeout` and it does not
    say that it is at work ("auto": ten minutes, an hour for a backend that cannot tell), and is asked again by the next
    run. `budget` is in tokens, with those of prompts, `problem_budget` in those of one problem, `max_cost` in the
    currency of `prices`; what is under way counts as spent, and what a budget leaves unasked is missing. `deadline`,
    `quorum` and `grace` bound the time of each answer (`TimeLimits`); fewer problems are in flight then, so that none
    waits for others. `answers` is one word for what is asked for ("math", "choice", "json", "code", "text"): it sets
    prompt, extractor and equality of answers; "auto" is mathematics here, for an engine has not seen its problems.
    `direct_template` is "direct" or the path of a Jinja file; by default the one that the model's checkpoint was
    trained with, else ours. `system` is a system prompt for the policy. `listeners` are called with every `Event`.
    `executor="ray"` loads the models in actors of a Ray cluster (`docs/scaling.md`).
    """

    def __init__(
        self,
        *,
        model: str | Backend | ModelFunction | None = None,
        scorer: str | Scorer | ScorerFunction | None = None,
        judge: str | Judge | JudgeFunction | None = None,
        synthesizer: str | Backend | ModelFunction | None = None,
        store: Store | str | Path | None = None,
        sampling: Sampling | None = None,
        seed: int | None = None,
        concurrency: int | None = None,
        timeout: float | None = 60.0,
        request_timeout: float | Literal["auto"] | None = "auto",
        budget: int | None = None,
        problem_budget: int | None = None,
        max_cost: float | None = None,
        prices: Prices | str | Path | None = None,
        extractor: str | Extract = "auto",
        answers: str | None = None,
        direct_template: str | None = None,
        system: str | None = None,
        executor: str | None = None,
        deadline: float | None = None,
        quorum: int | None = None,
        grace: float | None = None,
        listeners: Sequence[Callable[[Event], None]] = (),
        models: ModelPool | None = None,
    ) -> None:
        check_positive(
            concurrency=concurrency, timeout=timeout, request_timeout=request_timeout, budget=budget,
            problem_budget=problem_budget, max_cost=max_cost,
        )  # fmt: skip
        told = prices_of(prices, max_cost)
        given = {"deadline": deadline, "quorum": quorum, "grace": grace}
        self._limits: TimeLimits | None = build("the time of an answer", TimeLimits, given).some
        if not isinstance(sampling, Sampling | None):
            raise ConfigError(f"sampling={sampling!r}: give a tts.Sampling")
        sampling = sampling or Sampling()
        self.sampling: Sampling = sampling if seed is None else sampling.model_copy(update={"seed": seed})
        form = form_of(answers or "auto")
        read_template(direct_template or form.template or "direct", DIRECT_FIELDS)  # wrong ones before models load
        self._timeout, self._instruction = timeout, Instruction(direct_template or form.template, system)
        self._request_timeout = request_timeout
        self._listeners = [*listeners, *plugins().event_listeners]
        self._models, self._owns_models = ModelPool() if models is None else models, models is None
        references: dict[Role, object] = {"policy": model, "scorer": scorer, "judge": judge, "synthesizer": synthesizer}
        self._roles = Roles(references, self._models, concurrency, self._emit, executor)
        self._extractor = form.extractor if extractor == "auto" else extractor
        extract = extractor_of(self._extractor)
        self._owns_store = not isinstance(store, Store)
        self.store: Store | None = store if isinstance(store, Store) or store is None else Store(store)
        self._drawer = Drawer(self.store, extract, Budget(Limits(budget, max_cost, problem_budget), told))
        blocking = Limit.of(request_timeout, writes=False).silent
        self._watchdog = Watchdog(self._roles.loaded, self._limit, blocking, _tick(request_timeout))
        service, self._release_answers = hold(self)
        self._answers = Equality(service, form)
        self._runner = Runner(
            self._roles, self._drawer, self._answers, timeout=timeout, instruction=self._instruction,
            emit=self._emit, listened=bool(self._listeners),
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Free models and workers and commit the store; raises `StoreError` where that failed."""
        try:
            await self._runner.aclose()
            await in_thread("the workers that compare answers to end", self._release_answers)
            if self._owns_models:
                await self._models.keep_only(())
        finally:
            self._watchdog.stop()
            if self.store is not None and self._owns_store:
                self.store.close()

    @property
    def spent(self) -> dict[str, Usage]:
        """What was really paid so far, per role: stored completions and calls cost nothing.

        What a model was asked when it was loaded is in it, and what attempts cost that came to nothing.
        """
        self._charge_aside()
        return self._drawer.spent

    @property
    def model(self) -> str | Backend | ModelFunction | None:
        """The policy as it was given, where there is one."""
        return self._roles.references["policy"]  # type: ignore[return-value]  # what __init__ took

    @property
    def loaded_model(self) -> Backend | None:
        """The policy once it is loaded."""
        loaded = self._roles.loaded.get("policy")
        return None if loaded is None else loaded.model

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each loaded model, per role, with the format of a judge that has one."""
        loaded = self._roles.loaded.items()
        return {role: f"{one.fingerprint}/{one.format!r}" if one.format else one.fingerprint for role, one in loaded}

    # --- public verbs ----------------------------------------------------------------------------------------------

    async def solve(
        self, problem: str | Problem, strategy: str | Strategy = "gsr", k: int = 4, *, terms: Terms = AS_THE_ENGINE
    ) -> Result:
        """Sample k candidates of one problem and decide; raises where `run` would record.

        `terms` are this call's own sampling, limits of time and budget.
        """
        if not isinstance(problem, Problem):
            if not isinstance(problem, str) or not problem.strip():
                raise TaskError(f"problem {problem!r}: give a text that is not empty, or a tts.Problem")
            problem = Problem(id=digest(problem)[:12], prompt=problem)
        check_k(k)
        (example,) = self._known([Example(problem=problem)])
        plan = await self._plan([strategy], k, 0, k, terms)
        (work,) = self._roles.check_first([Work(example.problem, None)], tuple(plan.strategies.values()))
        outcome = await self._runner.decide_all(work, 0, plan)
        self._drawer.origins.warn()
        for error in outcome.errors.values():
            raise _with_reason(error, outcome.candidates)
        return next(iter(outcome.results.values()))

    async def ready(self, strategies: Sequence[str | Strategy]) -> None:
        """Load the policy and whatever these strategies need, before the first problem wants it."""
        await self._load([strategy_of(one) for one in strategies], sampling=True)

    async def sample(self, problems: Iterable[Example], k: int = 4) -> AsyncGenerator[Sampled, None]:
        """Candidate sets in the order in which they are complete; stored ones are not sampled again.

        A problem that cannot be sampled at all gives a set whose candidates carry the error.
        """
        check_k(k)
        if self._limits is not None:
            raise ConfigError("sampling wants every candidate; leave out deadline=, quorum= and grace=")
        await self._load((), sampling=True)
        warn_of_mismatches(self._roles.loaded.get("policy"), self._instruction.template, (), k)
        self._check_logprobs((), self.sampling)
        check_sampling(self._roles.loaded, self.sampling, ())

        async def draw(work: Work, order: int) -> Sampled:
            try:
                found = await self._runner.drawn(work, order, self.sampling, k)
            except StoreError:
                raise
            except TTSError as error:
                self._emit(Event("problem_failed", work.problem.id, message=str(error)))
                failed = [Candidate(index=i, text="", finish_reason="error", error=str(error)) for i in range(k)]
                found = self._runner.set_of(work, failed, self.sampling)
            await self._runner.keep(work, {})
            return Sampled(found, work.answer)

        works = (Work(example.problem, example.answer) for example in self._known(problems))
        async with aclosing(self._stream(works, draw)) as results:
            async for result in results:
                yield result

    def run(
        self,
        problems: Iterable[Example],
        strategies: Sequence[str | Strategy],
        k: int = 4,
        *,
        n: int | None = None,
        order_trials: int = 0,
        balanced: bool = False,
    ) -> AsyncGenerator[Outcome, None]:
        """Sample k candidates per problem and let every strategy decide on them; outcomes as they are decided.

        With `n`, n are sampled and decided on in non-overlapping groups of k, or `balanced`, where k need not divide n:
        in groups that overlap, with every candidate in equally many. With `order_trials`, strategies that mind
        the order of the candidates decide again on so many permutations of all k of them, which are drawn for it.
        """
        check_k(k)
        if n is not None and n < k:
            raise ConfigError(f"n={n} candidates per problem make no group of k={k}; give n={k} or more")
        works = (Work(example.problem, example.answer) for example in self._known(problems))
        return self._outcomes(works, strategies, k, order_trials, n or k, balanced=balanced)

    def compare(
        self,
        samples: Iterable[Sampled],
        strategies: Sequence[str | Strategy],
        k: int = 4,
        *,
        order_trials: int = 0,
        balanced: bool = False,
    ) -> AsyncGenerator[Outcome, None]:
        """Let every strategy decide on stored candidates, in groups of k; `order_trials` and `balanced` as in `run`.

        A set of fewer than k is completed by the model that made it, if that is the engine's, under the sampling that
        made it. Else it is a failed result; `ConfigError` where it is the first.
        """
        check_k(k)
        works = groups(samples, k, self._runner.can_complete, self.sampling.seed if balanced else None)
        return self._outcomes(works, strategies, k, order_trials, None)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text for the policy (an estimate of four characters a token where there is no policy)."""
        await self._load((), sampling=False)
        return await count_tokens(self._roles.loaded.get("policy"), texts)

    async def classes(self, problem: Problem, answers: Sequence[str | None]) -> list[int | None]:
        """The class of each answer to a problem; `None` for none."""
        return list((await self._answers.cluster(answers, expected(problem.text))).labels)

    # --- the stream ------------------------------------------------------------------------------------------------

    def _known(self, problems: Iterable[Example]) -> Iterable[Example]:
        """The problems; where no policy is named, only what the built-in one knows."""
        return only_sums(problems) if self._roles.built_in else problems

    async def _load(self, strategies: Sequence[Strategy], *, sampling: bool) -> None:
        self._watchdog.start()
        await self._roles.load(strategies, sampling=sampling)
        self._charge_aside()
        for loaded in self._roles.loaded.values():
            self._drawer.origins.meet(loaded, self.store)

    def _charge_aside(self) -> None:
        for role, usage in self._roles.take_aside().items():
            if usage != Usage():
                self._drawer.charge(role, usage)

    def _limit(self, loaded: Loaded) -> Limit:
        return Limit.of(self._request_timeout, writes=hasattr(loaded.model, "generate"))

    async def _outcomes(
        self,
        works: Iterable[Work],
        strategies: Sequence[str | Strategy],
        k: int,
        order_trials: int,
        n: int | None,
        *,
        balanced: bool = False,
    ) -> AsyncGenerator[Outcome, None]:
        plan = await self._plan(strategies, k, order_trials, n, AS_THE_ENGINE)
        plan = plan._replace(balanced=plan.sampling.seed if balanced else None)

        async def work_out(work: Work, order: int) -> list[Outcome]:
            whole = n is None or n == k
            parts = [work] if whole else await self._runner.sampled_groups(work, order, plan, n or k)
            return await together([self._runner.decide_all(part, order, plan) for part in parts])

        checked = self._roles.check_first(works, tuple(plan.strategies.values()))
        async with aclosing(self._stream(checked, work_out, None if plan.limits is None else k)) as decided:
            async for outcomes in decided:
                for outcome in outcomes:
                    yield outcome

    async def _plan(
        self, strategies: Sequence[str | Strategy], k: int, order_trials: int, n: int | None, terms: Terms
    ) -> Plan:
        """What is to be done with each group, its models loaded; raises where the call is wrong."""
        if order_trials < 0:
            raise ConfigError(f"order_trials={order_trials}: give how many other orders are to be tried, or 0")
        limits = self._limits if terms.limits is None else terms.limits.some
        check_limits(limits, k, n, order_trials)
        labelled = label_strategies([strategy_of(one) for one in strategies])
        await self._load(tuple(labelled.values()), sampling=n is not None)
        warn_of_mismatches(self._roles.loaded.get("policy"), self._instruction.template, labelled.values(), k)
        settings = self._check_logprobs(tuple(labelled.values()), terms.sampling or self.sampling)
        check_sampling(self._roles.loaded, settings, tuple(labelled.values()))
        provenance = {label: self._provenance(one, k, settings.seed, limits) for label, one in labelled.items()}
        trials = OrderTrials(order_trials, settings.seed, self._timeout) if order_trials else None
        drawer = None if terms.budget is None else self._drawer.within(terms.budget)
        return Plan(k, settings, labelled, provenance, trials, limits, drawer, terms.tell)

    async def _stream(
        self, works: Iterable[Work], decide: Callable[[Work, int], Awaitable[T]], hurried: int | None = None
    ) -> AsyncGenerator[T, None]:
        """What is decided, as it is; where each work is `hurried`, only so many as have slots for their candidates."""
        slots = max((loaded.limiter.slots for loaded in self._roles.loaded.values()), default=64)
        in_flight = 8 + 2 * slots if hurried is None else max(1, slots // hurried)
        async with aclosing(stream(works, decide, in_flight=in_flight)) as decided:
            async for one in decided:
                yield one
        self._drawer.origins.warn()

    def _check_logprobs(self, strategies: Sequence[Strategy], sampling: Sampling) -> Sampling:
        """The sampling, with log-probabilities where a strategy or its scorer needs them."""
        who = self._roles.wanting_logprobs(strategies)
        if who is None and not sampling.logprobs:
            return sampling
        self._roles.check_logprobs(who or "Sampling(logprobs=True)")
        return sampling.model_copy(update={"logprobs": True})

    def _provenance(self, strategy: Strategy, k: int, seed: int, limits: TimeLimits | None) -> Provenance:
        judge, judges = self._roles.loaded.get("judge"), strategy.required().judge
        return Provenance(
            strategy=strategy.name,
            k=k,
            parameters=strategy.model_dump(mode="json"),
            seed=seed,
            models=self.fingerprints,
            named={role: one.reference for role, one in self._roles.loaded.items()},
            version=__version__,
            code=code_behind(strategy, self._extractor, judge.format if judge is not None and judges else None),
            limits=limits,
        )

    def _emit(self, event: Event) -> None:
        if self._listeners:
            emit(event, self._listeners)


def _with_reason(error: Exception, candidates: Sequence[Candidate]) -> Exception:
    """Where there is nothing to decide on, why the candidates failed is what one wants to know."""
    told = str(error)
    reasons = dict.fromkeys(one.error for one in candidates if one.error is not None and one.error not in told)
    if not isinstance(error, NoCandidatesError) or not reasons:
        return error
    return NoCandidatesError(f"{error}: {'; '.join(list(reasons)[:2])}")


def _tick(limit: float | str | None) -> float:
    """How often to look, in seconds: a limit is kept to a quarter of itself, or to a second."""
    return min(1.0, limit / 4) if isinstance(limit, int | float) else 1.0
