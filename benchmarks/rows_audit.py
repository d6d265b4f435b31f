"""Of how many of the family's refine rows the target could be told from the candidates alone, old rows and new ones.

    python benchmarks/rows_audit.py [--problems 400]

No model: candidates are the task's worked solutions, six of ten with a slip. "old": the student's own candidates, and
targets that walk through them, as the family that first shipped learned from. "new": the kinds of the recipe `replica`.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence

import tts
from tts import Candidate, CandidateSet, Sampled
from tts.tasks.sums import Sums, comparison, solution, terms_of
from tts_trainers.data.audit import audit
from tts_trainers.data.card import as_text
from tts_trainers.data.recipe import KindsSection
from tts_trainers.recipe import load_recipe
from tts_trainers.replica.groups import groups_of
from tts_trainers.replica.recipe import ReplicaRecipe
from tts_trainers.replica.refinement import refinement
from tts_trainers.replica.rows import refine_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", type=int, default=400)
    options = parser.parse_args()
    stage = load_recipe("replica", ReplicaRecipe).candidates
    for name, kinds, thinking in (("old", KindsSection(), comparison), ("new", stage.kinds, refinement)):
        task, rng = Sums(split="train", size=options.problems), random.Random(0)
        sets = [_set(example, task, rng) for example in task.examples()]
        groups = groups_of(sets, stage.model_copy(update={"kinds": kinds}), task.planted, rng)
        found = audit(refine_rows(groups, count_tokens=_count, seed=0, thinking=thinking))
        print(f"{name}: {found.sentence()}\n{as_text(found.table())}\n")


def _set(example: tts.Example, task: Sums, rng: random.Random) -> Sampled:
    boxed = tts.plugins().resolve("extractor", "boxed")
    slips = [tts.split_thinking(task.planted(example.problem, "slip", rng) or "").summary or "" for _ in range(6)]
    texts = [solution(terms_of(example.problem))] * 4 + slips
    made = tuple(Candidate(index=i, text=text, summary=text, answer=boxed(text)) for i, text in enumerate(texts))
    return Sampled(CandidateSet(problem=example.problem, candidates=made), example.answer)


async def _count(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


if __name__ == "__main__":
    main()
