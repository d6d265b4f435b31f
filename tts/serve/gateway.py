"""What answers: engines behind the names of a catalog."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from typing import NamedTuple, Self

from tts.engine.engine import Engine
from tts.engine.models import ModelPool
from tts.engine.terms import Terms
from tts.output.visible import Visible
from tts.serve.admission import Admission
from tts.serve.asked import Asked
from tts.serve.before_calls import BeforeCalls
from tts.serve.catalog import Catalog, RoleNames, Served
from tts.serve.failure import Failure
from tts.serve.marks import says_where_thinking_begins
from tts.serve.meters import State
from tts.serve.recipe import Recipe
from tts.serve.watch import Watch
from tts.store.store import Store
from tts.vocabulary.errors import DeadlineError, TTSError
from tts.vocabulary.events import Event
from tts.vocabulary.records import Problem, Result, Usage
from tts.vocabulary.time_limits import TimeLimits

Tell = Callable[[Event], None]
_log = logging.getLogger("tts")
_SEEDS = 1 << 31


class Answered(NamedTuple):
    """What is answered: one result for each choice, with the class of each candidate's answer."""

    request_id: str
    served: Served
    seed: int
    results: list[Result]
    classes: list[list[int | None]]
    seconds: float
    tools: bool = False  # whether some were offered

    @property
    def usage(self) -> Usage:
        """What all of it cost, every role together."""
        return Usage.total([usage for result in self.results for usage in result.usage.values()])


class Gateway:
    """Answers requests by the strategies of a recipe; to be used as an async context manager.

    Names with the same models share an engine, and all engines share their models.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe: Recipe = recipe
        self.catalog: Catalog = Catalog(recipe)
        self.admission: Admission = Admission(recipe.limits.requests, recipe.limits.queue)
        self._store = None if recipe.store is None else Store(recipe.store)
        self._models = ModelPool(look_every=1.0)
        self._engines: dict[RoleNames, Engine] = {}
        self._listening: dict[str, Tell] = {}
        self._loading: asyncio.Task[None] | None = None
        self._shadows: set[asyncio.Task[None]] = set()
        self._chance = random.Random()
        self._marks: dict[RoleNames, bool] = {}  # whether thinking has a beginning that can be seen
        door = self.admission
        state = State(lambda: door.inside, lambda: door.waiting, lambda: self.why_not_ready() is None, self.paid)
        self.watch: Watch = Watch(state)

    async def __aenter__(self) -> Self:
        self._loading = asyncio.create_task(self._load())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._shadows, *([self._loading] if self._loading else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for engine in self._engines.values():
            await engine.aclose()
        await self._models.keep_only(())
        if self._store is not None:
            self._store.close()

    def why_not_ready(self) -> str | None:
        """What keeps requests from being answered: models that load, or that cannot; then it is tried again."""
        if self._loading is None or not self._loading.done():
            return "models are being loaded"
        if self._loading.cancelled():
            return "the gateway ends"
        if (error := self._loading.exception()) is not None:
            self._loading = asyncio.create_task(self._load())
            return str(error) if isinstance(error, TTSError) else "a model cannot be loaded; the log has more"
        return None

    async def _load(self) -> None:
        by_engine: dict[RoleNames, list[Served]] = {}
        for served in self.catalog.all():
            by_engine.setdefault(served.roles, []).append(served)
        try:
            for roles, names in by_engine.items():
                await self._engine(roles).ready([served.strategy for served in names])
        except Exception as error:
            _log.warning("not ready: %s", error)
            raise

    def _engine(self, roles: RoleNames) -> Engine:
        if roles not in self._engines:
            self._engines[roles] = Engine(
                **roles._asdict(), store=self._store, models=self._models, listeners=[self._heard], answers="reply"
            )
        return self._engines[roles]

    def paid(self) -> dict[str, Usage]:
        """What all engines have paid for, by role."""
        spent = [engine.spent for engine in self._engines.values()]
        roles = dict.fromkeys(role for one in spent for role in one)
        return {role: Usage.total([one[role] for one in spent if role in one]) for role in roles}

    def _heard(self, event: Event) -> None:
        self.watch.heard(event)
        if (tell := self._listening.get(event.problem)) is not None:
            tell(event)

    async def answer(
        self, asked: Asked, request_id: str, hear: Tell | None = None, more: Callable[[str], None] | None = None
    ) -> Answered:
        """Answer a request in its turn; raises `Failure`, or one of our errors.

        `hear` hears of what happens before, `more` what is written of the answer, as far as that can be told.
        """
        arrived = asyncio.get_running_loop().time()
        served = self.catalog.otherwise(self.catalog.of(asked.model), asked.own.model_dump())
        self._check_size(served, asked)
        seed = asked.seed
        if seed is None:  # a store is there to answer the same again
            seed = secrets.randbelow(_SEEDS) if self._store is None else served.sampling.seed
        if self._is_shadowed(served):
            answering = self.catalog.plain._replace(
                limits=served.limits, sampling=served.sampling, budget=served.budget
            )
        else:
            answering = served
        async with self.admission.place():
            self.watch.waited(asyncio.get_running_loop().time() - arrived)
            try:
                tell = self._readable(answering, asked, more)
                if hear is not None:
                    self._listening[request_id] = hear
                results = await self._solved(answering, asked, seed, request_id, arrived, tell)
            finally:
                self._listening.pop(request_id, None)
            engine = self._engine(answering.roles)
            classes = [
                await engine.classes(result.problem, [candidate.answer for candidate in result.candidates])
                for result in results
            ]
        self._learn(answering, results)
        self.watch.decided(results)
        if answering is not served:
            self._decide_beside(served, asked, seed, request_id)
        seconds = asyncio.get_running_loop().time() - arrived
        return Answered(request_id, answering, seed, results, classes, seconds, asked.tools)

    def _check_size(self, served: Served, asked: Asked) -> None:
        wanted, most = served.k * asked.n, self.recipe.limits.candidates
        if wanted > most:
            message = (
                f"{wanted:,} candidates were asked for (k={served.k:,}, n={asked.n:,}) and this gateway draws "
                f"{most:,} at most; ask for fewer"
            )
            raise Failure(400, message, code="too_many_candidates", param="n" if asked.n > 1 else "model")

    async def _solved(
        self,
        served: Served,
        asked: Asked,
        seed: int,
        request_id: str,
        arrived: float,
        tell: Callable[[str], None] | None = None,
    ) -> list[Result]:
        """One result for each choice, side by side; the first error ends all."""
        limits = _left(served.limits, asyncio.get_running_loop().time() - arrived)
        budget = None if served.budget is None else max(1, served.budget // asked.n)
        engine = self._engine(served.roles)

        async def one(place: int) -> Result:
            problem = Problem(id=request_id, messages=asked.messages)
            terms = Terms(asked.sampling(served.sampling, seed + place), limits, budget, None if place else tell)
            return await engine.solve(problem, served.strategy, served.k, terms=terms)

        if asked.n == 1:
            return [await one(0)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(place)) for place in range(asked.n)]
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
        return [task.result() for task in tasks]

    def _readable(
        self, served: Served, asked: Asked, more: Callable[[str], None] | None
    ) -> Callable[[str], None] | None:
        """What takes the answer while it is written; nothing before it is known how the policy marks its thinking."""
        if more is None or asked.n > 1 or served.strategy.required().synthesizer or not self._marks.get(served.roles):
            return None
        return Visible(BeforeCalls(more) if asked.tools else more)

    def _learn(self, served: Served, results: list[Result]) -> None:
        """Notice how the policy marks its thinking."""
        found = says_where_thinking_begins(one for result in results for one in result.candidates)
        if found is not None:
            self._marks[served.roles] = found and self._marks.get(served.roles, True)

    # --- beside the answer -----------------------------------------------------------------------------------------

    def _is_shadowed(self, served: Served) -> bool:
        return not served.plain and self._chance.random() < self.recipe.shadow

    def _decide_beside(self, served: Served, asked: Asked, seed: int, request_id: str) -> None:
        """What the strategy would have answered goes into the store, as far as there is room for it."""
        if self.admission.waiting or len(self._shadows) >= self.recipe.limits.requests:
            return

        async def decide() -> None:
            try:
                now = asyncio.get_running_loop().time()
                await self._solved(served, asked, seed, f"{request_id}-shadow", now)
            except TTSError as error:
                _log.warning("shadow of %s: %s", request_id, error)

        task = asyncio.create_task(decide())
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)


def _left(limits: TimeLimits, waited: float) -> TimeLimits:
    """The limits once a request has waited for its turn; raises `DeadlineError` where nothing is left."""
    if limits.deadline is None:
        return limits
    left = limits.deadline - waited
    if left <= 0:
        raise DeadlineError(f"the deadline of {limits.deadline:g} s was over before the request had its turn")
    return limits.model_copy(update={"deadline": left})


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
