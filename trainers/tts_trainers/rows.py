"""Training rows in TRL's conversational `prompt` / `completion` form, built with the prompts of inference.

A model is to be trained on what it sees later, so the direct and refine prompts come from `tts.prompts` and are never
written here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import TypedDict

from tts import Message, Problem
from tts.prompts import direct_messages, refine_messages
from tts.prompts.refine import CountTokens
from tts.tasks.sums import comparison, plan, response, solution, terms_of
from tts_trainers.candidates import CandidateGroup
from tts_trainers.objectives import Objective


class Row(TypedDict):
    """One training example."""

    prompt: list[dict[str, str]]
    completion: list[dict[str, str]]
    objective: Objective


def row(prompt: Sequence[Message], completion: str, objective: Objective) -> Row:
    """A row from chat messages and the target text."""
    return Row(
        prompt=[m.model_dump() for m in prompt],
        completion=[{"role": "assistant", "content": completion}],
        objective=objective,
    )


def direct_rows(problems: Iterable[Problem]) -> list[Row]:
    """Problems of the `sums` task with their worked solutions."""
    rows = []
    for problem in problems:
        terms = terms_of(problem)
        rows.append(row(direct_messages(problem), response(plan(terms), solution(terms)), "direct"))
    return rows


def refine_rows(groups: Iterable[CandidateGroup], *, count_tokens: CountTokens, seed: int) -> list[Row]:
    """Refine prompts over candidate groups of the `sums` task, with the comparison and the worked solution as target.

    A group whose candidates all have no summary teaches nothing about refining and is left out.
    """
    return asyncio.run(_refine_rows(list(groups), count_tokens, random.Random(seed)))


async def _refine_rows(groups: Sequence[CandidateGroup], count_tokens: CountTokens, rng: random.Random) -> list[Row]:
    rows = []
    for group in groups:
        if not any((c.summary or "").strip() for c in group.candidates):
            continue
        prompt = await refine_messages(group.problem, group.candidates, rng=rng, count_tokens=count_tokens)
        shown = {c.index: c.summary or "" for c in group.candidates}
        terms = terms_of(group.problem)
        thinking = comparison(terms, [shown[i] for i in prompt.order])
        rows.append(row(prompt.messages, response(thinking, solution(terms)), "refine"))
    return rows
