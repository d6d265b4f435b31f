"""One strategy on some candidate sets, watched, with instant models in every role."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

from tts.contracts.strategy import Context, Needs, Strategy
from tts.contracts.strategy import strategy as plugin_strategy
from tts.engine.engine import Engine
from tts.testing._models import InstantJudge, InstantModel, InstantScorer
from tts.testing._sets import SETS, WORDS, candidate_set
from tts.vocabulary.records import CandidateSet, Decision, Example, Problem, Result, Sampled, Usage

T = TypeVar("T")
_ROLE_OF = {"generate": "policy", "synthesize": "synthesizer", "score": "scorer", "judge": "judge"}


class Models:
    """An instant model for every role; a subclass may put others in their place."""

    def __init__(self, policy: InstantModel | None = None) -> None:
        self.policy = policy or InstantModel()
        self.scorer, self.judge, self.synthesizer = InstantScorer(), InstantJudge(), InstantModel()

    def engine(self, needs: Needs | None = None) -> Engine:
        """An engine with all of them, or with those alone that are needed."""
        given: dict[str, Any] = {
            "model" if role == "policy" else role: getattr(self, role)
            for role in ("policy", "scorer", "judge", "synthesizer")
            if needs is None or getattr(needs, role)
        }
        return Engine(**given)

    @property
    def spent(self) -> dict[str, Usage]:
        """What each was asked for, by role."""
        return {role: getattr(self, role).spent for role in ("policy", "scorer", "judge", "synthesizer")}


class Watch:
    """What a strategy did: roles it asked for, private parts of the context it touched, decisions still under way."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.private: set[str] = set()
        self.running = 0


class _WatchedContext:
    def __init__(self, context: Context, watch: Watch) -> None:
        self._context, self._watch = context, watch

    def __getattr__(self, name: str) -> Any:
        if name in _ROLE_OF:
            self._watch.asked.add(_ROLE_OF[name])
        elif name.startswith("_"):
            self._watch.private.add(name)
        return getattr(self._context, name)


def watched(strategy: Strategy, watch: Watch) -> Strategy:
    """A strategy that decides as this one does, and is watched."""

    class Watched(Strategy):
        name: ClassVar[str] = strategy.name
        needs: ClassVar[Needs] = strategy.needs

        def required(self) -> Needs:
            return strategy.required()

        async def aggregate(self, ctx: Context) -> Decision:
            watch.running += 1
            try:
                answer: Any = strategy.aggregate(cast("Context", _WatchedContext(ctx, watch)))
                return await answer if inspect.isawaitable(answer) else answer  # type: ignore[no-any-return]
            finally:
                watch.running -= 1

    return Watched()


def decided(
    strategy: Strategy, sets: Sequence[CandidateSet], models: Models | None = None, needs: Needs | None = None
) -> list[Result]:
    """What the strategy makes of each set, all of its candidates in one group; sets of one size."""

    async def main() -> list[Result]:
        async with (models or Models()).engine(needs) as engine:
            return await compared(engine, strategy, sets)

    return asyncio.run(main())


def decide(
    strategy: Strategy | str,
    responses: Sequence[str] | CandidateSet,
    *,
    model: Any = None,
    scorer: Any = None,
    judge: Any = None,
    synthesizer: Any = None,
) -> Result:
    """What a strategy makes of these responses to one problem; models are objects, or references as in `tts.run`."""
    found = responses if isinstance(responses, CandidateSet) else candidate_set(responses)

    async def main() -> Result:
        async with Engine(model=model, scorer=scorer, judge=judge, synthesizer=synthesizer) as engine:
            return (await compared(engine, plugin_strategy(strategy), [found]))[0]

    return asyncio.run(main())


async def compared(engine: Engine, strategy: Strategy, sets: Sequence[CandidateSet]) -> list[Result]:
    """The same in an engine that is open."""
    return await _results(engine.compare((Sampled(found) for found in sets), [strategy], len(sets[0])))


def sampled(strategy: Strategy, model: InstantModel, k: int = 5) -> list[Result]:
    """What the strategy makes of eight problems whose candidates this model samples."""

    async def main() -> list[Result]:
        async with Models(model).engine() as engine:
            return await _results(engine.run(eight_problems(), [strategy], k))

    return asyncio.run(main())


def eight_problems() -> list[Example]:
    """Problems for a policy to sample."""
    return [Example(problem=Problem(id=word, prompt=f"How many letters has {word}?")) for word in WORDS]


async def _results(outcomes: AsyncIterator[Any]) -> list[Result]:
    found = sorted([outcome async for outcome in outcomes], key=lambda outcome: outcome.order)
    return list(itertools.chain.from_iterable(outcome.results.values() for outcome in found))


def decision_on(strategy: Strategy, name: str, found: CandidateSet | None = None) -> tuple[Result, Decision]:
    """The decision on one of the sets; every one must lead to a decision."""
    (result,) = decided(strategy, [found or candidate_set(SETS[name])])
    assert result.decision is not None, f"{name}: {result.error}"
    return result, result.decision


class Blocked(NamedTuple):
    """What came of a coroutine, and the longest time in seconds that its event loop was kept from anything else."""

    value: Any
    seconds: float


_TICK = 0.005


def blocked(main: Callable[[], Coroutine[Any, Any, T]]) -> Blocked:
    """Run a coroutine on a loop of its own beside a clock that ticks."""

    async def beside() -> Blocked:
        loop, worst = asyncio.get_running_loop(), 0.0

        async def tick() -> None:
            nonlocal worst
            while True:
                due = loop.time() + _TICK
                await asyncio.sleep(_TICK)
                worst = max(worst, loop.time() - due)

        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0)
        try:
            value = await main()
            await asyncio.sleep(2 * _TICK)
        finally:
            ticking.cancel()
        return Blocked(value, worst)

    return asyncio.run(beside())


def shortest_block(main: Callable[[], Coroutine[Any, Any, Any]], limit: float, tries: int = 5) -> float:
    """The least blocking of several tries: what a busy machine or a first import adds does not count."""
    worst = float("inf")
    for _ in range(tries):
        worst = min(worst, blocked(main).seconds)
        if worst <= limit:
            break
    return worst
