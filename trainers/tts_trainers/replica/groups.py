"""Groups of candidates for refine rows of the family: some as the student wrote them, others changed on purpose."""

from __future__ import annotations

import random
from collections.abc import Sequence

import tts
from tts import Candidate, Sampled
from tts.eval.control_kinds import Plant
from tts_trainers.data.candidates import CandidateGroup
from tts_trainers.data.kinds import KINDS, Pool, drawn
from tts_trainers.replica.recipe import CandidateStage


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
