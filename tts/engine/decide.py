"""One strategy on one problem: run it, watch it, and judge whether what it returned is a decision."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Sequence
from typing import NamedTuple

from tts.contracts.strategy import Strategy
from tts.engine.context import StrategyContext
from tts.registry.host import plugins
from tts.vocabulary.errors import ConfigError, StrategyError, TTSError
from tts.vocabulary.records import Candidate, Decision, Problem, Result


class Outcome(NamedTuple):
    """One problem (one group of k candidates) decided by every strategy attached.

    `order` is the place of the problem in its source; `results` and `errors` are by strategy label. `changed` is there
    where order trials were asked for: for each strategy that minds the order and that decided, whether another order of
    the candidates changed its answer, trial by trial. `scores` is what the scorer said of the candidates, by index.
    """

    order: int
    problem: Problem
    answer: str | None
    group: int
    candidates: tuple[Candidate, ...]
    results: dict[str, Result]
    errors: dict[str, Exception]
    changed: dict[str, tuple[bool, ...]] | None = None
    scores: dict[int, float] | None = None


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
        answer = strategy.aggregate(context)
        return await answer if inspect.isawaitable(answer) else answer

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
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
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


def _written(strategy: Strategy) -> str:
    """A strategy as it would be called, with the parameters that are not default: `cascade(dear=gsr(outputs=4))`."""
    changed = strategy.model_dump(exclude_defaults=True, mode="json")
    values = {key: getattr(strategy, key) for key in changed}
    shown = {key: _written(value) if isinstance(value, Strategy) else changed[key] for key, value in values.items()}
    return strategy.name + (f"({', '.join(f'{key}={value}' for key, value in shown.items())})" if shown else "")


def label_strategies(strategies: Sequence[Strategy]) -> dict[str, Strategy]:
    """A label for each: its name, with the parameters that are not default where two share a name.

    Raises `ConfigError` for none at all, or for the same strategy twice.
    """
    if not strategies:
        raise ConfigError(f"no strategy is given; known: {', '.join(plugins().names('strategy'))}")
    names = [one.name for one in strategies]
    labelled: dict[str, Strategy] = {}
    for one in strategies:
        label = _written(one) if names.count(one.name) > 1 else one.name
        if label in labelled:
            raise ConfigError(f"strategy {label!r} is given twice with the same parameters")
        labelled[label] = one
    return labelled
