"""Prompts for reinforcement learning: groups of stored candidates, as many hard ones as easy ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import tts
from tts import Candidate, ConfigError, Message, Problem, run_sync
from tts.answers import Answers, expected
from tts.eval.control_kinds import Plant, plant_of
from tts.prompts import direct_messages, refine_messages
from tts.prompts.refine import CountTokens
from tts_trainers.aggregator.recipe import AggregatorRecipe
from tts_trainers.data.candidates import CandidateGroup, over_shares
from tts_trainers.data.kinds import KINDS, Pool, drawn
from tts_trainers.helpers.evaluate import grade
from tts_trainers.helpers.graded import GradedSet
from tts_trainers.rows import Objective


class Prompt(TypedDict):
    """One prompt, as TRL takes it: chat messages, and what the reward asks for."""

    prompt: list[dict[str, str]]
    answer: str
    problem: str
    objective: Objective


class Prompts(NamedTuple):
    """The prompts in random order, and how many there are of each sort."""

    rows: list[Prompt]
    counts: dict[str, int]


def make_prompts(sets: Sequence[GradedSet], recipe: AggregatorRecipe, count_tokens: CountTokens) -> Prompts:
    """Refine prompts, `hard_share` of them with a wrong majority, and direct ones.

    Raises `ConfigError` where the candidates give no prompt of a sort that is asked for.
    """
    data, rng = recipe.data, random.Random(recipe.seed)
    groups = [group for one in sets for group in _groups(one, sets, recipe, rng)]
    groups = _graded(groups, sets, recipe)
    hard = _hard(groups)
    shares = {True: data.hard_share, False: 1 - data.hard_share}
    if missing := [sort for sort, share in shares.items() if share and sort not in hard]:
        raise ConfigError(
            f"none of {len(groups)} groups of candidates has a {_SORTS[missing[0]]} majority, and data.hard_share = "
            f"{data.hard_share:g} asks for some; draw candidates for problems of middling difficulty, or change it"
        )
    dropped = over_shares([int(one) for one in hard], {int(k): v for k, v in shares.items()}, rng=rng)
    kept = [i for i in range(len(groups)) if i not in dropped]
    refine = run_sync(lambda: _refine([groups[i] for i in kept], recipe, count_tokens, rng))
    rows = [*refine, *_direct(sets, recipe, len(refine), rng)]
    rng.shuffle(rows)
    counts = {f"{_SORTS[sort]} majority": sum(hard[i] == sort for i in kept) for sort in (True, False)}
    return Prompts(rows, counts | {"direct": len(rows) - len(refine), "left out for balance": len(dropped)})


_SORTS = {True: "wrong", False: "right"}


class _Asked(NamedTuple):
    """A group with the gold answer of its problem."""

    group: CandidateGroup
    answer: str


def _groups(one: GradedSet, sets: Sequence[GradedSet], recipe: AggregatorRecipe, rng: random.Random) -> list[_Asked]:
    data, plant = recipe.data, plant_of("")
    found = []
    for _ in range(data.groups):
        k, kind = min(rng.choice(data.shown), len(one.candidates)), drawn(data.kinds.weights, rng)
        made = None if kind == "own" else KINDS[kind].make(_pool(one, sets, k, plant, rng))
        if made is None:
            kind, made = "own", rng.sample(one.candidates, k)
        extract: Any = tts.plugins().resolve("extractor", data.extractor)
        candidates = tuple(_candidate(place, each, extract) for place, each in enumerate(made))
        found.append(_Asked(CandidateGroup(one.problem, candidates, (), kind), one.answer))
    return found


def _pool(one: GradedSet, sets: Sequence[GradedSet], k: int, plant: Plant, rng: random.Random) -> Pool:
    donor = next((other for other in rng.choices(sets, k=4) if other.answer != one.answer), None)
    texts = () if donor is None else tuple((c.summary or c.text).strip() for c in donor.candidates)
    return Pool(one.problem, one.answer, one.candidates, one.correct, texts, k, plant, rng)


def _candidate(index: int, made: Candidate | str, extract: Any) -> Candidate:
    if isinstance(made, Candidate):
        return made.model_copy(update={"index": index})
    thinking, summary = tts.split_thinking(made)
    return Candidate(index=index, text=made, thinking=thinking, summary=summary, answer=extract(summary or made))


def _graded(asked: Sequence[_Asked], sets: Sequence[GradedSet], recipe: AggregatorRecipe) -> list[_Asked]:
    """With verdicts: of stored candidates those that are known, of changed ones the grader's."""
    known = {
        (one.problem.digest, c.text): right
        for one in sets
        for c, right in zip(one.candidates, one.correct, strict=True)
    }
    pairs, problems = [], []
    for group, answer in asked:
        for candidate in group.candidates:
            if (group.problem.digest, candidate.text) not in known:
                pairs.append((answer, candidate.answer))
                problems.append(group.problem.text)
    verdicts = iter(grade(pairs, recipe.data.grader, problems) if pairs else [])
    found = []
    for group, answer in asked:
        keys = [(group.problem.digest, candidate.text) for candidate in group.candidates]
        correct = tuple(known[key] if key in known else next(verdicts) for key in keys)
        found.append(_Asked(group._replace(correct=correct), answer))
    return found


def _hard(asked: Sequence[_Asked]) -> list[bool]:
    """Of each group whether its largest class of answers, the first of equal ones, is wrong."""

    async def work() -> list[bool]:
        answers = Answers()
        try:
            return [await _majority_is_wrong(one.group, answers) for one in asked]
        finally:
            await answers.aclose()

    return run_sync(work)


async def _majority_is_wrong(group: CandidateGroup, answers: Answers) -> bool:
    found: list[Candidate] = list(group.candidates)
    clusters = await answers.cluster([c.answer for c in found], expected(group.problem.text))
    if not clusters.sizes:
        return True
    largest = clusters.sizes.index(max(clusters.sizes))
    return not any(right for right, label in zip(group.correct, clusters.labels, strict=True) if label == largest)


async def _refine(
    asked: Sequence[_Asked], recipe: AggregatorRecipe, count_tokens: CountTokens, rng: random.Random
) -> list[Prompt]:
    section, rows = recipe.prompts, []
    for group, answer in asked:
        prompt = await refine_messages(
            group.problem,
            group.candidates,
            rng=rng,
            count_tokens=count_tokens,
            candidate_tokens=section.candidate_tokens,
            template=section.refine_template,
        )
        rows.append(_row(prompt.messages, answer, group.problem, "refine"))
    return rows


def _direct(sets: Sequence[GradedSet], recipe: AggregatorRecipe, refine: int, rng: random.Random) -> list[Prompt]:
    """As many as make up their share; problems repeat where there are too few."""
    share = recipe.data.direct_share
    wanted = round(refine * share / (1 - share))
    order = rng.sample(list(sets), len(sets))
    chosen = [order[i % len(order)] for i in range(wanted)]
    template = recipe.prompts.direct_template
    return [_row(direct_messages(one.problem, template), one.answer, one.problem, "direct") for one in chosen]


def _row(messages: Sequence[Message], answer: str, problem: Problem, objective: Objective) -> Prompt:
    return Prompt(
        prompt=[message.model_dump() for message in messages], answer=answer, problem=problem.text, objective=objective
    )
