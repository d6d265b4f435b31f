"""Groups of candidates for refine rows of the family: some as the student wrote them, others changed on purpose."""

from __future__ import annotations

import random
from collections.abc import Sequence

import tts
from tts import Candidate, CandidateSet, Example, Sampled
from tts.eval.control_kinds import Plant
from tts.prompts.refine import CountTokens
from tts.tasks.sums import plan, response, solution, terms_of
from tts_trainers.data.candidates import CandidateGroup
from tts_trainers.data.kinds import KINDS, Pool, drawn
from tts_trainers.replica.recipe import BaseStage, CandidateStage
from tts_trainers.replica.rows import direct_rows, refine_rows
from tts_trainers.rows import Row


def groups_of(sets: Sequence[Sampled], stage: CandidateStage, plant: Plant, rng: random.Random) -> list[CandidateGroup]:
    """`stage.prompts` groups of each candidate set; a kind that cannot be made of one gives way to its own."""
    weights = stage.kinds.weights
    extract = tts.plugins().resolve("extractor", "boxed")
    found = []
    for one in sets:
        candidates = one.candidates.candidates
        correct = tuple(candidate.answer == one.answer for candidate in candidates)
        for _ in range(stage.prompts):
            donor = _donor(one, sets, rng)
            shown, kind = rng.choice(stage.shown), drawn(weights, rng)
            pool = Pool(one.candidates.problem, one.answer or "", candidates, correct, donor, shown, plant, rng)
            made = KINDS[kind].make(pool)
            if made is None:
                kind, made = "own", pool.own()
            group = tuple(_candidate(place, each, extract) for place, each in enumerate(made))
            flags = tuple(each.answer == one.answer for each in group)
            found.append(CandidateGroup(one.candidates.problem, group, flags, kind))
    return found


def base_rows(
    examples: Sequence[Example],
    base: BaseStage,
    candidates: CandidateStage,
    plant: Plant,
    count_tokens: CountTokens,
    seed: int,
) -> list[Row]:
    """The student's rows: problems with their worked solutions, a share of them in a refine prompt.

    A refine prompt shows solutions that the task made up, right ones and wrong ones, and is answered as if it showed
    none. Its rows count as direct ones: nothing of refining is to be learned from them.
    """
    rng = random.Random(seed)
    shown = round(base.shown_share * len(examples))
    rows = direct_rows(example.problem for example in examples[shown:])
    groups = groups_of(
        [_made_up(one, plant, max(candidates.shown), rng) for one in examples[:shown]],
        candidates.model_copy(update={"prompts": 1}),
        plant,
        rng,
    )
    thought = refine_rows(groups, count_tokens=count_tokens, seed=seed, thinking=lambda terms, _: plan(terms))
    for one in thought:
        one["objective"], one["n_correct"] = "direct", None
    return [*rows, *thought]


def _made_up(example: Example, plant: Plant, count: int, rng: random.Random) -> Sampled:
    """Solutions of a problem as a student would write them, about half of them wrong."""
    extract = tts.plugins().resolve("extractor", "boxed")
    terms = terms_of(example.problem)
    texts = [
        (plant(example.problem, "slip", rng) if rng.random() < 0.5 else None) or response(plan(terms), solution(terms))
        for _ in range(count)
    ]
    made = tuple(_candidate(place, text, extract) for place, text in enumerate(texts))
    return Sampled(CandidateSet(problem=example.problem, candidates=made), example.answer)


def _donor(one: Sampled, sets: Sequence[Sampled], rng: random.Random) -> tuple[str, ...]:
    """What candidates of another problem say."""
    others = [other for other in rng.choices(sets, k=4) if other.answer != one.answer]
    return tuple((c.summary or c.text).strip() for c in others[0].candidates) if others else ()


def _candidate(index: int, made: Candidate | str, extract: object) -> Candidate:
    """A candidate of the group; its index is its place."""
    if isinstance(made, Candidate):
        return made.model_copy(update={"index": index})
    thinking, summary = tts.split_thinking(made)
    answer = extract(summary or made) if callable(extract) else None
    return Candidate(index=index, text=made, thinking=thinking, summary=summary, answer=answer)
