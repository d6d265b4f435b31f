"""The answer where the deadline leaves time for nothing else: the best of what is there, by vote."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tts.engine.context import StrategyContext
from tts.vocabulary.errors import DeadlineError
from tts.vocabulary.records import Candidate, Decision

_COMPARING = 0.05  # seconds for telling which answers are equal; after that, those that are written alike are


async def best_by_vote(context: StrategyContext) -> Decision:
    """The first candidate of the most frequent answer, of those that have come; the first usable where none has one.

    Raises `DeadlineError` where nothing has come.
    """
    usable = context.received_by_now()
    if not usable:
        raise DeadlineError(
            f"no candidate of problem {context.problem.id!r} was there at the deadline; give it more time (deadline=)"
        )
    voters = [candidate for candidate in usable if candidate.answer is not None]
    labels = await _labels(context, voters)
    sizes = [labels.count(label) for label in labels]
    chosen = voters[sizes.index(max(sizes))] if voters else usable[0]
    return Decision(
        text=chosen.text,
        chosen=chosen.index,
        confidence=max(sizes, default=0) / max(len(voters), 1),
        trace={"instead": "the deadline was over before the strategy had decided: a vote over what was there"},
    )


async def _labels(context: StrategyContext, voters: Sequence[Candidate]) -> list[object]:
    """What tells the class of each voter's answer."""
    answers = [candidate.answer for candidate in voters]
    try:
        async with asyncio.timeout(_COMPARING):
            return list((await context.cluster(answers)).labels)
    except TimeoutError:
        return list(answers)
