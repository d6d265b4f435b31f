"""Training rows of the `sums` task: its worked solutions are the teacher."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile, zip_longest

from tts import Candidate, Message, Problem, run_sync
from tts.prompts import direct_messages, refine_messages, synthesize_messages
from tts.prompts.refine import CountTokens
from tts.tasks.sums import Term, comparison, plan, response, said, solution, terms_of
from tts_trainers.data.candidates import CandidateGroup
from tts_trainers.replica.refinement import refinement
from tts_trainers.rows import Row, row

Thinking = Callable[[Sequence[Term], Sequence[str]], str]
TEACHER = {"source": "task:sums", "teacher": "worked solution", "label": "gold"}


def direct_rows(problems: Iterable[Problem]) -> list[Row]:
    """Problems with their worked solutions."""
    rows = []
    for problem in problems:
        terms = terms_of(problem)
        target = response(plan(terms), solution(terms))
        rows.append(row(direct_messages(problem), target, "direct", problem_id=problem.id, provenance=TEACHER))
    return rows


def refine_rows(
    groups: Iterable[CandidateGroup], *, count_tokens: CountTokens, seed: int, thinking: Thinking = refinement
) -> list[Row]:
    """Refine prompts over candidate groups, with givens, comparison and worked solution as target.

    `thinking` writes the part before the solution, from the terms of the problem and the summaries in the order of the
    prompt. A group whose candidates all have no summary teaches nothing about refining and is left out.
    """
    return run_sync(lambda: _refine_rows(list(groups), count_tokens, random.Random(seed), thinking))


async def _refine_rows(
    groups: Sequence[CandidateGroup], count_tokens: CountTokens, rng: random.Random, thinking: Thinking
) -> list[Row]:
    rows = []
    for group in groups:
        if any((c.summary or "").strip() for c in group.candidates):
            prompt = await refine_messages(group.problem, group.candidates, rng=rng, count_tokens=count_tokens)
            rows.append(_refined(group, prompt.messages, prompt.order, thinking))
    return rows


def synthesis_rows(groups: Iterable[CandidateGroup], seed: int) -> list[Row]:
    """Synthesizer prompts over another model's candidates, with the same targets as `refine_rows`."""
    rng = random.Random(seed)
    rows = []
    for group in groups:
        prompt = synthesize_messages(group.problem, group.candidates, rng=rng)
        rows.append(_refined(group, prompt.messages, prompt.order, refinement))
    return rows


def _refined(group: CandidateGroup, messages: Sequence[Message], order: Sequence[int], thinking: Thinking) -> Row:
    """The candidates in the order of the prompt as the teacher thinks of them, then the worked solution."""
    problem, shown = group.problem, {c.index: c.summary or "" for c in group.candidates}
    terms = terms_of(problem)
    target = response(thinking(terms, [shown[i] for i in order]), solution(terms))
    provenance = TEACHER | {"kind": group.kind}
    return row(messages, target, "refine", problem_id=problem.id, n_correct=group.n_correct, provenance=provenance)


def judge_thinking(problem: Problem, a: Candidate, b: Candidate, letter: str) -> str:
    """What a judge thinks before its verdict: the two responses step by step up to the first on which they differ.

    Of that step it is said what each of them makes it and what it is, then all three are laid side by side from the
    last digit on (`221=x`: 2, A has 2, B has 1, so A agrees and B does not), and then who has it right. Whole numbers
    are not compared: a small model learns which single digits are equal, and not which numbers are.
    """
    lines = comparison(terms_of(problem), [a.summary or "", b.summary or ""]).split("\n")
    same = list(takewhile(lambda line: ": differ, " not in line, lines))
    # What both say decides nothing between them, so it is not worked out.
    agreed = [f"{line.partition(', ')[0]}, {line.rpartition(', ')[2]}" for line in same]
    if len(agreed) == len(lines):
        return "\n".join(agreed)
    step, _, recomputed = lines[len(agreed)].partition(": differ, ")
    values = [str(said(one.summary or "")[step]) for one in (a, b)]
    columns = ", ".join(_side_by_side(recomputed.rpartition(", ")[2], *values))
    return "\n".join([*agreed, f"{step}: A {values[0]}, B {values[1]}, {recomputed}, {columns}: {letter}"])


def _side_by_side(right: str, a: str, b: str) -> Iterator[str]:
    """The digits of three numbers from the last on, up to the first on which `a` and `b` differ."""
    for digits in zip_longest(right[::-1], a[::-1], b[::-1], fillvalue="0"):
        correct, *both = digits
        yield "".join([*digits, *("=" if digit == correct else "x" for digit in both)])
        if both[0] != both[1]:
            return
