"""Training rows of the task `sums` for the tests: worked solutions as teacher, altered ones as candidates."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path

from tts import Candidate, Example
from tts.prompts import direct_messages, refine_messages
from tts.tasks.sums import Sums, comparison, plan, response, solution, terms_of
from tts_trainers.rows import Row, row


async def _characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def _candidate(index: int, summary: str) -> Candidate:
    return Candidate(index=index, text=summary, summary=summary)


def _refine(example: Example, rng: random.Random) -> Row:
    terms = terms_of(example.problem)
    right = solution(terms)
    summaries = [right, right.replace("1", "7"), right.replace("3", "8"), right]
    candidates = [_candidate(i, text) for i, text in enumerate(summaries)]
    prompt = asyncio.run(refine_messages(example.problem, candidates, rng=rng, count_tokens=_characters))
    target = response(comparison(terms, summaries), right)
    correct = sum(text == right for text in summaries)
    return row(prompt.messages, target, "refine", problem_id=example.problem.id, n_correct=correct)


def sums_rows(problems: int, *, seed: int = 0) -> list[Row]:
    """One direct and one refine row for each problem, in turn."""
    rows: list[Row] = []
    rng = random.Random(seed)
    for example in Sums(size=problems, seed=seed, split="train").examples():
        terms = terms_of(example.problem)
        target = response(plan(terms), solution(terms))
        rows.append(row(direct_messages(example.problem), target, "direct", problem_id=example.problem.id))
        rows.append(_refine(example, rng))
    return rows


def write(path: Path, rows: Sequence[Row]) -> Path:
    """As JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path
