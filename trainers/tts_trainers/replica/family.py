"""The family: tokenizer, students of several sizes, the arms of Table 2, the helpers of other strategies.

Candidates are sampled through the public API into one store, so an interrupted stage asks only for what is missing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import tts
from tts_trainers.data.candidates import CandidateGroup, limit_all_correct
from tts_trainers.helpers.graded import Pair, preference_pairs, read_graded, split_by_problem
from tts_trainers.helpers.recipe import HelperRecipe
from tts_trainers.recipe import Arm
from tts_trainers.replica.groups import base_rows, groups_of
from tts_trainers.replica.recipe import CandidateStage, ReplicaRecipe
from tts_trainers.replica.rows import direct_rows, judge_thinking, refine_rows, synthesis_rows
from tts_trainers.replica.stages import Stage
from tts_trainers.rows import Row
from tts_trainers.runtime.half import half_is_fast

RecipeT = TypeVar("RecipeT", bound=HelperRecipe)
log = logging.getLogger("tts_trainers.replica")

# Each use of the task draws its own problems.
_BASE_SEED, _CANDIDATE_SEED, _DIRECT_SEED = 1, 2, 3


class Family:
    """What is made for one recipe in one folder."""

    def __init__(self, out: Path, recipe: ReplicaRecipe) -> None:
        self.out, self.recipe = out, recipe

    def tokenizer(self) -> Stage:
        """What all sizes share."""
        recipe = self.recipe
        return Stage("tokenizer", self._make_tokenizer, [recipe.seed, recipe.task, recipe.tokenizer])

    def size(self, size: str) -> list[Stage]:
        """Student, candidates and hybrid model of one size."""
        recipe, base, candidates = self.recipe, f"base-{size}", f"candidates-{size}"
        return [
            Stage(base, self._with(self._make_base, size), [recipe.sizes[size], recipe.base], ["tokenizer"]),
            Stage(candidates, self._with(self._make_candidates, base), [recipe.candidates], [base]),
            Stage(f"hybrid-{size}", self._with(self._make_arm, size, "hybrid"), [recipe.arm], [candidates]),
        ]

    def problems(self, split: str, size: int, seed: int) -> list[tts.Example]:
        """Problems of the recipe's ranges."""
        ranges = dict(self.recipe.task)
        return list(tts.task("sums", split=split, size=size, seed=self.recipe.seed + seed, **ranges).examples())

    # --- students, candidates, arms ----------------------------------------------------------------------------------

    def arm(self, arm: Arm) -> Stage:
        """The main size trained on one half of the hybrid model's rows, for as many steps."""
        main = self.recipe.main
        return Stage(arm, self._with(self._make_arm, main, arm), [self.recipe.arm], [f"candidates-{main}"])

    @staticmethod
    def _with(make: Callable[..., None], *arguments: Any) -> Callable[[Path], None]:
        return lambda target: make(target, *arguments)

    def _make_tokenizer(self, target: Path) -> None:
        from tts_trainers.replica.student import build_tokenizer

        examples = self.problems("train", 500, 0)
        build_tokenizer(examples, self.recipe.tokenizer, self.recipe.seed).save_pretrained(target)

    def _make_base(self, target: Path, size: str) -> None:
        from tts_trainers.replica.student import build_model, load_tokenizer, token_counter

        tokenizer = load_tokenizer(self.out / "tokenizer")
        recipe = self.recipe
        shape = recipe.sizes[size]
        model = build_model(shape, recipe.tokenizer.context, tokenizer, recipe.seed)
        examples = self.problems("train", recipe.base.problems, _BASE_SEED)
        task = tts.task("sums", **dict(recipe.task))
        rows = base_rows(examples, recipe.base, recipe.candidates, task.planted, token_counter(tokenizer), recipe.seed)
        objective = recipe.arm_of("direct")
        self._train(model, tokenizer, rows, objective, recipe.base.optimisation_of(shape), target)

    def _make_candidates(self, target: Path, model: str) -> None:
        stage = self.recipe.candidates
        sampled = self._sample(self.problems("train", stage.problems, _CANDIDATE_SEED), model, stage)
        sampled.save(target / "candidates.jsonl")

    def _sample(self, examples: Sequence[tts.Example], model: str, stage: CandidateStage) -> tts.Samples:
        sampling = tts.Sampling(temperature=stage.temperature, top_p=stage.top_p, max_tokens=stage.max_tokens)
        return tts.sample(
            examples,
            k=stage.sampled,
            model=f"hf:{self.out / model}",
            sampling=sampling,
            store=self.out / "samples.db",
            seed=self.recipe.seed,
        )

    def groups(self, candidates: str) -> list[CandidateGroup]:
        """The stored candidates, chosen, changed by kind and mixed over N_c; `prompts` choices for each problem."""
        stage, rng = self.recipe.candidates, random.Random(self.recipe.seed)
        task = tts.task("sums", **dict(self.recipe.task))
        found = groups_of(read_sets(self.out / candidates / "candidates.jsonl"), stage, task.planted, rng)
        return limit_all_correct(found, stage.all_correct_share, rng=rng)

    def _make_arm(self, target: Path, size: str, arm: Arm) -> None:
        from tts_trainers.replica.student import load

        model, tokenizer = load(self.out / f"base-{size}")
        stage = self.recipe.arm
        rows: list[Row] = []
        if arm != "direct":
            rows += self._refine_rows(self.groups(f"candidates-{size}"), tokenizer)
        if arm != "refine":
            rows += direct_rows(e.problem for e in self.problems("train", stage.direct_problems, _DIRECT_SEED))
        self._train(model, tokenizer, rows, self.recipe.arm_of(arm), stage.optimisation_of(arm), target)

    def _refine_rows(self, groups: list[CandidateGroup], tokenizer: Any) -> list[Row]:
        from tts_trainers.replica.student import token_counter

        log.info("refine rows by N_c: %s", dict(sorted(Counter(g.n_correct for g in groups).items())))
        log.info("refine rows by kind: %s", dict(Counter(g.kind for g in groups).most_common()))
        return refine_rows(groups, count_tokens=token_counter(tokenizer), seed=self.recipe.seed)

    # --- helpers of other strategies ---------------------------------------------------------------------------------

    def helpers(self) -> list[Stage]:
        """Reward model, judge and synthesizer, on candidates of the student and of the direct arm.

        The reward model starts from the direct arm. Judge and synthesizer start from the refine arm, which can compare
        solutions already and has seen no candidate but the student's.
        """
        recipe = self.recipe
        others, own = "candidates-direct", f"candidates-{recipe.main}"
        return [
            Stage(others, self._with(self._make_candidates, "direct"), [recipe.candidates], ["direct"]),
            Stage("reward", self._finished(self._make_reward), [recipe.reward], ["direct", own, others]),
            Stage("judge", self._finished(self._make_judge), [recipe.judge], ["refine", own, others]),
            Stage("synthesizer", self._finished(self._make_synthesizer), [recipe.synthesizer], ["refine", others]),
        ]

    @staticmethod
    def _finished(make: Callable[[Path], None]) -> Callable[[Path], None]:
        def made(target: Path) -> None:
            from tts_trainers.replica.student import finish

            make(target)
            finish(target)

        return made

    def _pairs(self, per_problem: int, held_out: float) -> tuple[list[Pair], list[Pair]]:
        """Pairs of a correct and a wrong response of both models that were sampled, and pairs of held-out problems."""
        files = [
            self.out / name / "candidates.jsonl" for name in (f"candidates-{self.recipe.main}", "candidates-direct")
        ]
        graded = [one for file in files for one in read_graded(file)]
        train, test = split_by_problem(graded, held_out, self.recipe.seed)
        draw = partial(preference_pairs, per_problem=per_problem, seed=self.recipe.seed)
        return draw(train), draw(test)

    def _make_reward(self, target: Path) -> None:
        from tts_trainers.helpers.reward_model import train_reward_model
        from tts_trainers.replica.student import load

        model, tokenizer = load(self.out / "direct")
        recipe = _here(self.recipe.reward)
        pairs, held_out = self._pairs(recipe.pairs_per_problem, recipe.held_out)
        report = train_reward_model(model, tokenizer, pairs, recipe, target, held_out=held_out)
        log.info("reward model: %d pairs, held-out pair accuracy %s", report.pairs, report.pair_accuracy)

    def _make_judge(self, target: Path) -> None:
        from tts_trainers.helpers.judge import judge_rows, train_judge
        from tts_trainers.replica.student import load

        model, tokenizer = load(self.out / "refine")
        recipe = _here(self.recipe.judge)
        pairs, held_out = self._pairs(recipe.pairs_per_problem, recipe.held_out)
        report = train_judge(
            model, tokenizer, judge_rows(pairs, teacher=judge_thinking), recipe, target, held_out=held_out
        )
        log.info("judge: %d pairs, held-out verdicts %s", len(pairs), report.verdicts)

    def _make_synthesizer(self, target: Path) -> None:
        from tts_trainers.helpers.synthesizer import train_synthesizer
        from tts_trainers.replica.student import load

        model, tokenizer = load(self.out / "refine")
        rows = synthesis_rows(self.groups("candidates-direct"), self.recipe.seed)
        train_synthesizer(model, tokenizer, rows, _here(self.recipe.synthesizer), target)

    def _train(
        self, model: Any, tokenizer: Any, rows: Sequence[Row], objective: Any, optimisation: Any, target: Path
    ) -> None:
        from tts_trainers.replica.student import save
        from tts_trainers.replica.train import train

        output = self.out / "trainer" / f"{target.name}-{_digest(rows, objective, optimisation)}"
        logs = train(
            model,
            tokenizer,
            rows,
            objective=objective,
            optimisation=optimisation,
            output=output,
            seed=self.recipe.seed,
        )
        log.info("%s: last losses %s", target.name, [entry for entry in logs if "loss" in entry][-1:])
        save(model, tokenizer, target)
        shutil.rmtree(output, ignore_errors=True)  # checkpoints, to go on from


def _here(recipe: RecipeT) -> RecipeT:
    """A helper's recipe as this machine computes it."""
    optimisation = recipe.optimisation
    half = optimisation.bf16 and half_is_fast()
    return recipe.model_copy(update={"optimisation": optimisation.model_copy(update={"bf16": half})})


def _digest(rows: Sequence[Row], objective: Any, optimisation: Any) -> str:
    """Of all that a training run depends on, so that it never goes on from a checkpoint of another."""
    seen = hashlib.blake2b(digest_size=8)
    for part in (objective.model_dump_json(), optimisation.model_dump_json(), *map(json.dumps, rows)):
        seen.update(part.encode())
    return seen.hexdigest()


def read_sets(path: Path) -> list[tts.Sampled]:
    """Candidate sets of a stage, with answers read from their boxes."""
    extract = tts.plugins().resolve("extractor", "auto")
    return list(tts.read_candidate_sets(path, extract=extract))
