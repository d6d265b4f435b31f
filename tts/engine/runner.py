"""What turns one work into an outcome.

A problem is decided as soon as its own candidates are there; what strategies share of it is asked for once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tts.answers.forms import Equality
from tts.contracts.strategy import Strategy
from tts.engine.context import StrategyContext
from tts.engine.decide import ENDING, Decided, decide, limited
from tts.engine.draws import Draw, Drawer, together
from tts.engine.instruction import Instruction
from tts.engine.order_trials import OrderTrials
from tts.engine.pace import Pace
from tts.engine.patience import Patience
from tts.engine.pool import Pool
from tts.engine.roles import Roles
from tts.engine.understood import refusal
from tts.engine.unit import SAMPLING, Unit
from tts.engine.work import Work, groups, how_many_groups, how_many_new
from tts.rows.makers import made_by
from tts.store.store import Store
from tts.vocabulary.errors import BackendError, StoreError, TTSError
from tts.vocabulary.events import Event
from tts.vocabulary.outcome import Outcome
from tts.vocabulary.records import Candidate, CandidateSet, Provenance, Result, Sampled, Sampling
from tts.vocabulary.time_limits import TimeLimits


class Plan(NamedTuple):
    """What is done with every group of k candidates; strategies and their provenance are by label."""

    k: int
    sampling: Sampling
    strategies: dict[str, Strategy]
    provenance: dict[str, Provenance]
    trials: OrderTrials | None
    limits: TimeLimits | None = None
    drawer: Drawer | None = None  # with a budget of its own
    tell: Callable[[str], None] | None = None
    balanced: int | None = None  # the seed of groups that overlap


class Runner:
    """Draws candidates for works, lets strategies decide on them, keeps the results.

    `emit` hears of events where there is somebody to listen. `timeout` is how many seconds a strategy may be idle.
    """

    def __init__(
        self,
        roles: Roles,
        drawer: Drawer,
        answers: Equality,
        *,
        timeout: float | None,
        instruction: Instruction,
        emit: Callable[[Event], None],
        listened: bool,
    ) -> None:
        self._roles, self._drawer, self._answers = roles, drawer, answers
        self._timeout, self._instruction = timeout, instruction
        self._pace = Pace()
        self._closing: set[asyncio.Task[None]] = set()
        self._emit, self._listened = emit, listened
        self._store: Store | None = drawer.store
        self._live: dict[tuple[str, bool], Pool] = {}  # draws of first candidates that problems are waiting for

    async def drawn(self, work: Work, order: int, sampling: Sampling, n: int) -> CandidateSet:
        """The first n candidates of a problem; raises where none could be sampled."""
        if (error := refusal(self._roles.loaded, (), work.problem, sampled=True)) is not None:
            raise error
        pool = self._pool(work, order, Plan(n, sampling, {}, {}, None))
        try:
            return self.set_of(work, await pool.take(n), sampling)
        finally:
            await self._release(pool)

    def set_of(self, work: Work, candidates: Sequence[Candidate], sampling: Sampling) -> CandidateSet:
        """The candidates of a work as a set of the policy's."""
        policy = self._roles.loaded["policy"].fingerprint
        return CandidateSet(problem=work.problem, candidates=tuple(candidates), policy=policy, sampling=sampling)

    async def sampled_groups(self, work: Work, order: int, plan: Plan, n: int) -> list[Work]:
        """A work that is yet to be sampled, as groups of its first n candidates."""
        try:
            found = await self.drawn(work, order, plan.sampling, n)
        except TTSError as error:
            many = how_many_groups(n, plan.k, plan.balanced)
            return [work._replace(group=i, error=error, new=how_many_new(n, plan.k, i)) for i in range(many)]
        return list(groups([Sampled(found, work.answer)], plan.k, self.can_complete, plan.balanced))

    async def decide_all(self, work: Work, order: int, plan: Plan) -> Outcome:
        """What every strategy of the plan says of one group; raises `StoreError`, other errors are in the outcome."""
        started, arrived = time.monotonic(), asyncio.get_running_loop().time()
        strategies = tuple(plan.strategies.values())
        if (odd := refusal(self._roles.loaded, strategies, work.problem, sampled=not work.fixed)) is not None:
            work = work._replace(error=work.error or odd)
        self._emit(Event("problem_started", work.problem.id))
        pool = self._pool(work, order, plan)
        unit = Unit(
            work, plan.k, order, pool,
            roles=self._roles.loaded, drawer=plan.drawer or self._drawer, sampling=plan.sampling,
            answers=self._answers, instruction=self._instruction, emit=self._emit, tell=plan.tell,
        )  # fmt: skip
        contexts = {
            label: StrategyContext(unit, one, plan.sampling.seed, self._patience(one, plan, arrived))
            for label, one in plan.strategies.items()
        }
        unit.undecided += plan.trials is not None  # who will want all candidates
        try:
            decided = await together(
                [self._decide(work, one, contexts[label]) for label, one in plan.strategies.items()]
            )
            said = {label: (context, one) for (label, context), one in zip(contexts.items(), decided, strict=True)}
            changed = None if plan.trials is None else await plan.trials.changed(unit, plan.strategies, said)
        finally:
            await self._close(pool, unit, ENDING if plan.limits else None)
        results, errors = {}, {}
        for label, (context, one) in said.items():
            if isinstance(one.error, StoreError):
                raise one.error
            if one.error is not None:
                errors[label] = one.error
            context.settle()
            results[label] = self._result(work, context, one, one.at - (pool.began or started), plan.provenance[label])
        await self.keep(work, results)
        received = {index: c for context in contexts.values() for index, c in context.received.items()}
        candidates = tuple(received[index] for index in sorted(received))
        return Outcome(
            order,
            work.problem,
            work.answer,
            work.group,
            candidates,
            results,
            errors,
            changed,
            unit.scores,
            work.left,
            work.new,
        )

    async def _decide(self, work: Work, strategy: Strategy, context: StrategyContext) -> Decided:
        if work.error is not None:
            return Decided(None, work.error, time.monotonic())
        try:
            decided = await decide(strategy, context, self._timeout)
        finally:
            context.leave()
        needed = asyncio.get_running_loop().time() - context.patience.given
        self._pace.took(strategy.name, needed, cut=decided.by_vote)
        return limited(decided, context)

    def _patience(self, strategy: Strategy, plan: Plan, arrived: float) -> Patience:
        if plan.limits is None:
            return Patience(None, arrived, plan.k, None, writes=False)
        needs = strategy.required()
        writes = needs.policy or needs.scorer or needs.judge or needs.synthesizer
        return Patience(plan.limits, arrived, plan.k, self._pace.needs(strategy.name), writes=writes)

    def can_complete(self, found: CandidateSet) -> bool:
        """The policy is the one that made the set, so it can draw what is missing."""
        policy = self._roles.loaded.get("policy")
        return policy is not None and policy.fingerprint == found.policy and found.sampling is not None

    def _pool(self, work: Work, order: int, plan: Plan) -> Pool:
        """The candidates of a work; two problems of one text that are in flight together share them.

        A call with a budget of its own shares none: nobody else pays for it.
        """
        drawer, sampling = plan.drawer or self._drawer, plan.sampling

        def notify(candidate: Candidate, stored: bool, seconds: float) -> None:
            if self._listened:
                tokens = candidate.usage.generated_tokens
                self._emit(Event("candidate", work.problem.id, tokens=tokens, stored=stored, seconds=seconds))

        policy, draw = self._roles.loaded.get("policy"), None
        if policy is not None and (not work.fixed or (policy.fingerprint == work.policy and work.sampling)):
            trained = policy.model.capabilities.prompts
            messages = self._instruction.direct(work.problem, trained)
            wanted = work.sampling or sampling
            if sampling.logprobs and not wanted.logprobs:  # they change no sample, and a strategy needs them
                wanted = wanted.model_copy(update={"logprobs": True})
            draw = Draw(work.problem, "sample", policy, messages, wanted)
        if draw is None or work.fixed:
            return Pool(drawer, draw, (SAMPLING, order), fixed=work.fixed, notify=notify)
        pool = Pool(drawer, draw, (SAMPLING, order), notify=notify)
        if plan.drawer is not None:
            return pool
        shared = self._live.setdefault(pool.share, pool)
        shared.users += 1
        return shared

    async def _close(self, pool: Pool, unit: Unit, seconds: float | None) -> None:
        """Cancel what is left of a problem; after so many seconds that goes on beside what comes next."""

        async def close() -> None:
            await self._release(pool)
            await unit.aclose()

        if seconds is None:
            await close()
            return
        closing = asyncio.create_task(close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        if (await asyncio.wait({closing}, timeout=seconds))[0]:
            closing.result()

    async def aclose(self) -> None:
        """Return when everything that was cancelled has ended."""
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _release(self, pool: Pool) -> None:
        pool.users -= 1
        if pool.users <= 0:
            if self._live.get(pool.share) is pool:
                del self._live[pool.share]
            await pool.cancel()

    def _result(
        self, work: Work, context: StrategyContext, decided: Decided, seconds: float, provenance: Provenance
    ) -> Result:
        decision, error = decided.decision, decided.error
        sentence = None if error is None else f"{type(error).__name__}: {error}"
        kind: Any = "decision" if sentence is None else "problem_failed"
        self._emit(Event(kind, work.problem.id, provenance.strategy, sentence or ""))
        ends = context.ends_of(decision) if decision else ()
        if isinstance(error, BackendError) and context.declined:
            ends = ("refused",)
        if (maker := self._maker(work)) is not None:
            provenance = provenance.model_copy(update={"named": {**provenance.named, "candidates": maker}})
        if dropped := self._roles.dropped(self._drawer.origins.dropped):
            provenance = provenance.model_copy(update={"dropped": dropped})
        if stopped := context.patience.reasons:
            provenance = provenance.model_copy(update={"stopped": stopped})
        return Result(
            problem=work.problem,
            group=work.group,
            candidates=tuple(context.received[index] for index in sorted(context.received)),
            decision=decision,
            answer=context.answer_of(decision) if decision else None,
            alternatives=tuple(map(context.visible_answer, decision.alternatives)) if decision else (),
            usage=context.usage,
            seconds=seconds,
            provenance=provenance,
            error=sentence,
            finish_reasons=ends,
        )

    def _maker(self, work: Work) -> str | None:
        """Who made candidates that were there already, where that is said and is not the policy."""
        policy = self._roles.loaded.get("policy")
        if not work.fixed or (policy is not None and policy.fingerprint == work.policy):
            return None
        return made_by(work.problem, work.policy) or None

    async def keep(self, work: Work, results: dict[str, Result]) -> None:
        """Store problem and results; return when they are safe."""
        if self._store is not None:
            self._store.put_problem(work.problem, work.answer)
            for result in results.values():
                self._store.put_result(result)
            await self._store.flushed()
