"""What can be known to be wrong with a training run before weights are loaded, each in one sentence.

Errors are `ConfigError`; what may be meant is a warning of the logger `tts.train`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tts import ConfigError, read_examples
from tts.prompts import DIRECT_FIELDS, REFINE_FIELDS, Prompts, Template
from tts_trainers.data.decontaminate import problem_key
from tts_trainers.hybrid.recipe import HybridRecipe, ModelSection, PromptSection
from tts_trainers.hybrid.survey import Rows
from tts_trainers.recipe import Arm
from tts_trainers.rows import OBJECTIVES, Objective

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger("tts.train")


def load_prompts(section: PromptSection) -> Prompts:
    """The prompts of a recipe with their templates read; raises `ConfigError` for one without a field it must use."""
    return Prompts(
        direct_template=Template.load(section.direct_template, DIRECT_FIELDS).source,
        refine_template=Template.load(section.refine_template, REFINE_FIELDS).source,
        candidate_tokens=section.candidate_tokens,
        k=section.k,
    )


def check_batch(recipe: HybridRecipe, processes: int) -> None:
    """Raise `ConfigError` where the batch cannot be divided, or a step of the hybrid arm would see one objective."""
    optimisation = recipe.optimisation
    micro_batches = optimisation.accumulation(processes)
    alternates = optimisation.order == "alternate" and not optimisation.packing
    if recipe.objective.arm == "hybrid" and micro_batches % 2 and alternates:
        raise ConfigError(
            f"optimisation.batch = {optimisation.batch} is {micro_batches} micro-batches of optimisation.per_device = "
            f"{optimisation.per_device} on {processes} processes, and each holds rows of one objective; change one of "
            "the two to make it an even number, so that every step trains both"
        )


def check_arm(source: str, arm: Arm, counts: Mapping[Objective, int]) -> None:
    """Raise `ConfigError` where an arm has no row of an objective that it trains."""
    wanted = OBJECTIVES if arm == "hybrid" else (arm,)
    if missing := [objective for objective in wanted if not counts.get(objective)]:
        there = ", ".join(f"{count:,} {objective}" for objective, count in sorted(counts.items())) or "none"
        raise ConfigError(
            f"objective.arm = {arm!r} needs {missing[0]} rows, and {source!r} has none (rows there: {there})"
        )


def check_split(train: Rows, evaluation: Rows) -> None:
    """Raise `ConfigError` where one problem is on both sides, by its id or its text."""
    texts = {problem_key(text) for text in evaluation.problems.values()}
    if both := sorted(
        name for name, text in train.problems.items() if name in evaluation.problems or problem_key(text) in texts
    ):
        raise ConfigError(
            f"{len(both)} problems of {train.source!r} are also in {evaluation.source!r}, e.g. {both[0]!r}; a problem "
            "belongs on one side only"
        )


def check_overlap(train: Rows, task: str) -> None:
    """Raise `ConfigError` where training problems are those of the evaluation task, by their text."""
    from tts_trainers.data.decontaminate import overlapping

    examples = list(read_examples(task))
    if not any(example.answer is not None for example in examples):
        raise ConfigError(f"monitoring.task = {task!r} has no answers to compare with; give a task with answers")
    held_out = [example.problem.text for example in examples]
    ids, texts = list(train.problems), train.problems.values()
    if found := sorted(overlapping(texts, held_out)):
        raise ConfigError(
            f"{len(found)} of {len(ids)} training problems are also in the evaluation task {task!r}, e.g. "
            f"{ids[found[0]]!r}; take them out (`tts train-data` does) or set monitoring.task to another task"
        )


def check_positions(model: ModelSection, length: int | None, declared: int | None) -> None:
    """Raise `ConfigError` where rows may be longer than what the model takes; `declared` is the model's own limit."""
    limit = model.max_positions or declared
    if limit is not None and length is not None and length > limit:
        raise ConfigError(
            f"optimisation.max_length = {length:,} is over the {limit:,} positions of {model.name!r}; lower it, "
            "or raise model.max_positions"
        )


def fitting(source: str, tokens: Dataset, recipe: HybridRecipe) -> Dataset:
    """The rows that fit into `optimisation.max_length` tokens; the others are counted in a warning.

    Raises `ConfigError` where none fits.
    """
    longest, lengths = recipe.optimisation.max_length, list(tokens["length"])
    kept = [position for position, length in enumerate(lengths) if length <= longest]
    if len(kept) == len(lengths):
        return tokens
    at = max(range(len(lengths)), key=lengths.__getitem__)
    which = f"row {at + 1} (problem {tokens[at]['problem_id']!r}) has {lengths[at]:,} tokens"
    if not kept:
        raise ConfigError(
            f"{source!r}: none of its {len(lengths):,} rows fits into optimisation.max_length = {longest:,}; the "
            f"longest, {which}"
        )
    log.warning(
        "%r: %d of %d rows are longer than optimisation.max_length = %d and left out; the longest, %s",
        source, len(lengths) - len(kept), len(lengths), longest, which,
    )  # fmt: skip
    return tokens.select(kept)
