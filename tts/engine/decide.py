"""One strategy on one problem: it is run, it is watched, what it returned is checked."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from typing import NamedTuple

from tts.bridge.left import end
from tts.contracts.strategy import Strategy
from tts.engine.context import StrategyContext
from tts.vocabulary.errors import StrategyError, TTSError
from tts.vocabulary.records import Decision


class Decided(NamedTuple):
    """A decision or the error that came instead, and when (monotonic seconds)."""

    decision: Decision | None
    error: Exception | None
    at: float


async def decide(strategy: Strategy, context: StrategyContext, idle_limit: float | None) -> Decided:
    """Let a strategy decide; whatever goes wrong in it comes back as one of our errors.

    `idle_limit` is how many seconds it may have nothing in flight with the engine before it is stopped.
    """

    async def aggregate() -> object:
        try:
            answer = strategy.aggregate(context)
            return await answer if inspect.isawaitable(answer) else answer
        except SystemExit as error:  # out of a task it would end the loop
            sentence = f"strategy {strategy.name!r} called sys.exit({error.code!r}) on problem {context.problem.id!r}"
            raise StrategyError(sentence) from error

    task = asyncio.create_task(aggregate())
    try:
        while not (await asyncio.wait({task}, timeout=idle_limit))[0]:
            if idle_limit is not None and context.idle_seconds() >= idle_limit:
                raise StrategyError(
                    f"strategy {strategy.name!r} did nothing for {idle_limit:g} s on problem {context.problem.id!r}; "
                    "it was stopped (timeout= sets the limit)"
                )
        decision = _checked(strategy, context, task.result())
    except TTSError as error:
        return Decided(None, error, time.monotonic())
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and not task.done():
            raise  # we are cancelled; a strategy that cancels itself is an error like any other
        wrapped = StrategyError(
            f"strategy {strategy.name!r} raised {type(error).__name__} on problem {context.problem.id!r}: {error}"
        )
        wrapped.__cause__ = error
        return Decided(None, wrapped, time.monotonic())
    finally:
        if not task.done():
            await end([task], f"strategy {strategy.name!r} on problem {context.problem.id!r}", 1.0)
    return Decided(decision, None, time.monotonic())


def _checked(strategy: Strategy, context: StrategyContext, decision: object) -> Decision:
    where = f"strategy {strategy.name!r} on problem {context.problem.id!r}"
    if not isinstance(decision, Decision):
        raise StrategyError(f"{where} returned a {type(decision).__name__}; aggregate must return tts.Decision")
    if decision.chosen is not None and decision.chosen not in context.received:
        known = ", ".join(map(str, sorted(context.received))) or "none"
        raise StrategyError(f"{where} chose candidate {decision.chosen}; the candidates it received are {known}")
    try:
        json.dumps(decision.trace)
    except (TypeError, ValueError) as error:
        raise StrategyError(f"{where} returned a trace that is not JSON-able: {error}") from error
    return decision
