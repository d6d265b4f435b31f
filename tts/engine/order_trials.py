"""Order trials: strategies that mind the order of their candidates decide again on the same ones in other orders."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence

from tts.answers import expected
from tts.contracts.strategy import Strategy
from tts.engine.context import StrategyContext
from tts.engine.decide import Decided, decide
from tts.engine.unit import Unit
from tts.vocabulary.errors import TTSError
from tts.vocabulary.record import digest
from tts.vocabulary.records import Decision


class OrderTrials:
    """Whether another order of the candidates changes an answer.

    Each trial is a random permutation of the k candidates, the same one for every strategy. A strategy that shows
    candidates in a prompt, by its trace, draws their order by a seed of its own, whatever order they come in: a trial
    draws it anew. Other strategies that declare themselves invariant are left out, and so are decisions that failed.
    Calls are shared with the decisions before.
    """

    def __init__(self, trials: int, seed: int, idle_limit: float | None) -> None:
        self._trials, self._seed, self._idle_limit = trials, seed, idle_limit

    async def changed(
        self, unit: Unit, strategies: Mapping[str, Strategy], said: Mapping[str, tuple[StrategyContext, Decided]]
    ) -> dict[str, tuple[bool, ...]]:
        """For each strategy by label, whether its answer changed, trial by trial; nothing where candidates lack.

        A trial that fails where the decision did not counts as a change.
        """
        answers = {
            label: context.answer_of(decided.decision)
            for label, (context, decided) in said.items()
            if decided.decision is not None and (not strategies[label].order_invariant or _shows(decided.decision))
        }
        if not answers:
            return {}
        try:
            await unit.candidates.take(unit.k)
        except TTSError:
            return {}
        tried = await asyncio.gather(*(self._again(unit, strategies[label], answers[label]) for label in answers))
        return dict(zip(answers, tried, strict=True))

    async def _again(self, unit: Unit, strategy: Strategy, answer: str | None) -> tuple[bool, ...]:
        said = await asyncio.gather(*(self._trial(unit, strategy, trial) for trial in range(self._trials)))
        others = [other for other, failed in said if not failed]
        same = iter((await unit.answers.cluster([answer, *others], expected(unit.problem.text))).labels)
        base = next(same)
        return tuple(True if failed else next(same) != base for _, failed in said)

    async def _trial(self, unit: Unit, strategy: Strategy, trial: int) -> tuple[str | None, bool]:
        """The answer, and whether there was an error instead."""
        order = list(range(unit.k))
        random.Random(digest("order", self._seed, unit.problem.digest, unit.work.group, trial)).shuffle(order)
        drawn = trial if strategy.order_invariant else None
        context = StrategyContext(unit.reordered(order), strategy, self._seed, trial=drawn)
        decided = await decide(strategy, context, self._idle_limit)
        if decided.decision is None:
            return None, True
        return context.answer_of(decided.decision), False


def _shows(decision: Decision) -> bool:
    """Whether the trace tells of an order in which a prompt showed the candidates."""
    prompts = decision.trace.get("prompts")
    listed = prompts if isinstance(prompts, Sequence) else ()
    return "order" in decision.trace or any(isinstance(one, Mapping) and "order" in one for one in listed)
