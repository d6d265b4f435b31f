"""Training rows of the `sums` task: its worked solutions are the teacher."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence

from tts import Candidate, Problem
from tts.prompts import direct_messages, refine_messages, synthesize_messages
from tts.prompts.refine import CountTokens
from tts.tasks.sums import comparison, plan, response, solution, terms_of
from tts_trainers.candidates import CandidateGroup
from tts_trainers.rows import Row, row

TEACHER = {"source": "task:sums", "teacher": "worked solution", "label": "gold"}


def direct_rows(problems: Iterable[Problem]) -> list[Row]:
    """Problems with their worked solutions."""
    rows = []
    for problem in problems:
        terms = terms_of(problem)
        target = response(plan(terms), solution(terms))
        rows.append(row(direct_messages(problem), target, "direct", problem_id=problem.id, provenance=TEACHER))
    return rows


def refine_rows(groups: Iterable[CandidateGroup], *, count_tokens: CountTokens, seed: int) -> list[Row]:
    """Refine prompts over candidate groups, with the comparison and the worked solution as target.

    A group whose candidates all have no summary teaches nothing about refining and is left out.
    """
    return asyncio.run(_refine_rows(list(groups), count_tokens, random.Random(seed)))


async def _refine_rows(groups: Sequence[CandidateGroup], count_tokens: CountTokens, rng: random.Random) -> list[Row]:
    rows = []
    for group in groups:
        if not any((c.summary or "").strip() for c in group.candidates):
            continue
        problem = group.problem
        prompt = await refine_messages(problem, group.candidates, rng=rng, count_tokens=count_tokens)
        shown = {c.index: c.summary or "" for c in group.candidates}
        terms = terms_of(problem)
        target = response(comparison(terms, [shown[i] for i in prompt.order]), solution(terms))
        found = row(
            prompt.messages, target, "refine", problem_id=problem.id, n_correct=group.n_correct, provenance=TEACHER
        )
        rows.append(found)
    return rows


def synthesis_rows(groups: Iterable[CandidateGroup], seed: int) -> list[Row]:
    """Synthesizer prompts over another model's candidates, with the same targets as `refine_rows`."""
    rng = random.Random(seed)
    rows = []
    for group in groups:
        problem = group.problem
        prompt = synthesize_messages(problem, group.candidates, rng=rng)
        shown = {c.index: c.summary or "" for c in group.candidates}
        terms = terms_of(problem)
        target = response(comparison(terms, [shown[i] for i in prompt.order]), solution(terms))
        made = row(
            prompt.messages, target, "refine", problem_id=problem.id, n_correct=group.n_correct, provenance=TEACHER
        )
        rows.append(made)
    return rows


def judge_thinking(problem: Problem, a: Candidate, b: Candidate, _: str) -> str:
    """What a judge thinks before its verdict: the two responses step by step, recomputed where they differ."""
    return comparison(terms_of(problem), [a.summary or "", b.summary or ""])
