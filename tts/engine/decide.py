"""One strategy on one problem: it is run, it is watched, what it returned is checked."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import time
from typing import NamedTuple

from pydantic import ValidationError

from tts.boundary.foreign import Foreign
from tts.boundary.raised import did, origin, passes, raised, shown
from tts.bridge.left import end, heard
from tts.contracts.strategy import Strategy
from tts.engine.context import StrategyContext
from tts.engine.last_resort import best_by_vote
from tts.vocabulary.errors import StoreError, StrategyError, TTSError
from tts.vocabulary.records import Decision

ENDING = 0.25  # seconds that what is stopped has to end before the answer goes out without it


class Decided(NamedTuple):
    """A decision or the error that came instead, and when (monotonic seconds).

    `by_vote` says that it is not the strategy's: its time was over.
    """

    decision: Decision | None
    error: Exception | None
    at: float
    by_vote: bool = False


async def decide(strategy: Strategy, context: StrategyContext, idle_limit: float | None) -> Decided:
    """Let a strategy decide; whatever goes wrong in it comes back as one of our errors.

    `idle_limit` is how many seconds it may have nothing in flight with the engine before it is stopped. Where its time
    is over, what is there is voted on.
    """
    where = f" on problem {context.problem.id!r}"

    async def aggregate() -> object:
        try:
            with Foreign():
                answer = strategy.aggregate(context)
                return await answer if inspect.isawaitable(answer) else answer
        except BaseException as error:
            if passes(error) or (isinstance(error, TTSError) and not _pretended(error)):
                raise
            sentence = f"strategy {strategy.name!r} {did(error, where)}"
            raise StrategyError(sentence) from error  # not as it is: out of a task some end the loop

    task = asyncio.create_task(aggregate())
    task.add_done_callback(heard)  # where a failing store ends several at once, each is cancelled with its error there
    waiting = True
    try:
        while not (await asyncio.wait({task}, timeout=_next_look(idle_limit, context.patience.cut)))[0]:
            if _left(context.patience.cut) <= 0:
                await end([task], f"strategy {strategy.name!r} on problem {context.problem.id!r}", ENDING)
                return Decided(await best_by_vote(context), None, time.monotonic(), by_vote=True)
            if idle_limit is not None and context.idle_seconds() >= idle_limit:
                raise StrategyError(
                    f"strategy {strategy.name!r} did nothing for {idle_limit:g} s on problem {context.problem.id!r}; "
                    "it was stopped (timeout= sets the limit)"
                )
        waiting = False
        decision = _checked(strategy, context, task.result())
    except TTSError as error:
        return Decided(None, error, time.monotonic())
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and waiting:
            raise  # we are cancelled; a strategy that cancels itself is an error like any other
        wrapped = StrategyError(f"strategy {strategy.name!r} {did(error, where)}")
        wrapped.__cause__ = error
        return Decided(None, wrapped, time.monotonic())
    finally:
        if not task.done():
            await end([task], f"strategy {strategy.name!r} on problem {context.problem.id!r}", 1.0)
    return Decided(decision, None, time.monotonic())


def limited(decided: Decided, context: StrategyContext) -> Decided:
    """With rates of what the limits of time did, where there are any."""
    if decided.decision is None or not context.patience.limited:
        return decided
    rates = {"answers not waited for": (len(context.patience.stopped), context.k)}
    if context.patience.cut is not None:
        rates["decided by a vote at the deadline"] = (int(decided.by_vote), 1)
    decision = decided.decision.model_copy(update={"rates": {**decided.decision.rates, **rates}})
    return decided._replace(decision=decision)


def _left(cut: float | None) -> float:
    """Seconds until the strategy is stopped."""
    return math.inf if cut is None else cut - asyncio.get_running_loop().time()


def _next_look(idle_limit: float | None, cut: float | None) -> float | None:
    """In how many seconds to look whether it is to be stopped, if it ever is."""
    soonest = min(math.inf if idle_limit is None else idle_limit, max(_left(cut), 0.0))
    return None if soonest == math.inf else soonest


def _pretended(error: TTSError) -> bool:
    """A strategy raises what only our store may: it would end the run."""
    return isinstance(error, StoreError) and not origin(error).startswith("tts.")


def _checked(strategy: Strategy, context: StrategyContext, given: object) -> Decision:
    where = f"strategy {strategy.name!r} on problem {context.problem.id!r}"
    if not issubclass(type(given), Decision):
        raise StrategyError(f"{where} returned a {type(given).__name__}; aggregate must return tts.Decision")
    try:  # it may have been made without the checks, or be of a class of its own, which a store could not read
        decision = Decision(**{name: value for name, value in vars(given).items() if name in Decision.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise StrategyError(
            f"{where} returned a decision whose {field} is {shown(first.get('input'))}: {first['msg']}"
        ) from error
    if decision.chosen is not None and decision.chosen not in context.received:
        known = ", ".join(map(str, sorted(context.received))) or "none"
        raise StrategyError(f"{where} chose candidate {decision.chosen}; the candidates it received are {known}")
    if decision.chosen is None and context.offers_tools:
        raise StrategyError(
            f"{where} wrote its answer where tools are offered, whose calls are chosen, not written; it says that it "
            "may do so with writes: ClassVar[bool] = True"
        )
    try:
        json.dumps(decision.trace)
        decision.model_dump(mode="json")  # as the store writes it, which takes no value of any depth
    except (TypeError, ValueError, RecursionError) as error:
        raise StrategyError(f"{where} returned a trace that is not JSON-able: {raised(error)}") from error
    return decision
