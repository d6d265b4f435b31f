"""What can be known to be wrong with a training run before weights are loaded, each in one sentence.

Errors are `ConfigError`; what may be meant is a warning of the logger `tts.train`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tts import ConfigError, read_examples
from tts.prompts import DIRECT_FIELDS, REFINE_FIELDS, Prompts, Template
from tts_trainers.data.decontaminate import problem_key
from tts_trainers.hybrid.recipe import DataSection, HybridRecipe, PromptSection
from tts_trainers.recipe import Arm
from tts_trainers.rows import OBJECTIVES, Objective

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger("tts.train")

_UNBOXED_SHARE = 0.05  # completions without a box: more of them is a warning
_BOX = r"\boxed{"
_PROBLEM, _CANDIDATE = "\x00problem\x00", "\x00candidate\x00"


class Frame(NamedTuple):
    """What a template writes before and after the problem, up to the next inserted text."""

    before: str
    after: str

    def problem(self, prompt: str) -> str | None:
        """The problem in a prompt of this template; `None` where the prompt is of another one."""
        if not prompt.startswith(self.before):
            return None
        end = prompt.find(self.after, len(self.before)) if self.after else len(prompt)
        return None if end < 0 else prompt[len(self.before) : end]


def load_prompts(section: PromptSection) -> Prompts:
    """The prompts of a recipe with their templates read; raises `ConfigError` for one without a field it must use."""
    return Prompts(
        direct_template=Template.load(section.direct_template, DIRECT_FIELDS).source,
        refine_template=Template.load(section.refine_template, REFINE_FIELDS).source,
        candidate_tokens=section.candidate_tokens,
        k=section.k,
    )


def frames(prompts: Prompts) -> dict[Objective, Frame]:
    """What each of the two templates writes around a problem."""
    direct = prompts.direct.render(problem=_PROBLEM)
    refine = prompts.refine.render(problem=_PROBLEM, candidates=[_CANDIDATE])
    return {"direct": _frame(direct), "refine": _frame(refine)}


def _frame(rendered: str) -> Frame:
    before, after, *_ = rendered.split(_PROBLEM)
    return Frame(before, after.split(_CANDIDATE)[0])


def check_batch(recipe: HybridRecipe, processes: int) -> None:
    """Raise `ConfigError` where the batch cannot be divided, or a step of the hybrid arm would see one objective."""
    optimisation = recipe.optimisation
    micro_batches = optimisation.accumulation(processes)
    if recipe.objective.arm == "hybrid" and micro_batches % 2 and not optimisation.packing:
        raise ConfigError(
            f"optimisation.batch = {optimisation.batch} is {micro_batches} micro-batches of optimisation.per_device = "
            f"{optimisation.per_device} on {processes} processes, and each holds rows of one objective; change one of "
            "the two to make it an even number, so that every step trains both"
        )


def read_through(source: str, rows: Dataset, recipe: HybridRecipe, prompts: Prompts) -> Rows:
    """All rows of one file, checked.

    Raises `ConfigError` for the first row that is wrong, or for what is wrong with all of them.
    """
    found = Rows(source, frames(prompts))
    for row in rows:
        found.add(row)
    found.finish(recipe.data, recipe.prompts)
    return found


class Rows:
    """Counts of the rows of one file, made in one pass; `add` raises `ConfigError` for a row that teaches nothing."""

    def __init__(self, source: str, frames: Mapping[Objective, Frame]) -> None:
        self.source = source
        self.counts: Counter[Objective] = Counter()
        self.problems: dict[str, str] = {}  # text by id
        self._keys: dict[str, bytes] = {}  # of them those that a template of the recipe shows
        self._frames = frames
        self._framed: Counter[Objective] = Counter()
        self._boxed: Counter[Objective] = Counter()
        self._seen: set[bytes] = set()
        self._repeated = 0
        self._content = hashlib.blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """Of all rows in their order."""
        return self._content.hexdigest()

    def add(self, row: Mapping[str, Any]) -> None:
        """Check one row and count it."""
        where = f"{self.source!r}, row {self.counts.total() + 1}"
        objective: Objective = row["objective"]
        prompt, completion = row["prompt"][-1]["content"], row["completion"][0]["content"]
        if not completion.strip():
            raise ConfigError(f"{where} (problem {row['problem_id']!r}): the completion is empty")
        self.counts[objective] += 1
        self._boxed[objective] += _BOX in completion.rpartition("</think>")[2]
        found = self._frames[objective].problem(prompt)
        self._framed[objective] += found is not None
        self._add_problem(where, str(row["problem_id"]), prompt, found)
        shown = [row[name] for name in ("problem_id", "objective", "n_correct", "prompt", "completion")]
        key = hashlib.blake2b(json.dumps(shown).encode(), digest_size=16)
        self._repeated += key.digest() in self._seen
        self._seen.add(key.digest())
        self._content.update(key.digest())

    def _add_problem(self, where: str, name: str, prompt: str, found: str | None) -> None:
        if found is None:
            self.problems.setdefault(name, prompt)
        elif self._keys.setdefault(name, problem_key(found)) != problem_key(found):
            raise ConfigError(f"{where}: the id {name!r} is already that of another problem; ids must differ")
        else:
            self.problems[name] = found

    def finish(self, data: DataSection, prompts: PromptSection) -> None:
        """What only all rows together show: boxes, repetitions, and whether the templates are those of the recipe."""
        for objective, count in sorted(self.counts.items()):
            if data.boxed:
                self._check_boxes(objective, count - self._boxed[objective], count)
            if not self._framed[objective]:
                name = prompts.direct_template if objective == "direct" else prompts.refine_template
                raise ConfigError(
                    f"no {objective} prompt of {self.source!r} was made with the template {name!r}; set "
                    f"prompts.{objective}_template to the template the rows were made with, or make the rows again"
                )
        if self._repeated:
            log.warning("%r: %d rows repeat another row word for word and count twice", self.source, self._repeated)

    def _check_boxes(self, objective: str, missing: int, count: int) -> None:
        if missing == count:
            raise ConfigError(
                f"none of the {count:,} {objective} completions of {self.source!r} has its answer in \\boxed{{}} after "
                "its think block: whoever wrote them never boxes, and the model would learn it; ask for the box in the "
                "prompts, or set data.boxed = false if answers are given in another way"
            )
        if missing > _UNBOXED_SHARE * count:
            log.warning(
                "%r: %d of %d %s completions have no \\boxed{} after their think block",
                self.source, missing, count, objective,
            )  # fmt: skip


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


def check_positions(recipe: HybridRecipe, declared: int | None) -> None:
    """Raise `ConfigError` where rows may be longer than what the model takes; `declared` is the model's own limit."""
    limit, length = recipe.model.max_positions or declared, recipe.optimisation.max_length
    if limit is not None and length > limit:
        raise ConfigError(
            f"optimisation.max_length = {length:,} is over the {limit:,} positions of {recipe.model.name!r}; lower it, "
            "or raise model.max_positions"
        )


def fitting(source: str, tokens: Dataset, recipe: HybridRecipe, limit: int | None) -> Dataset:
    """The rows that fit into `optimisation.max_length` tokens; the others are counted in a warning.

    Raises `ConfigError` where a row is longer than the model's positions (`limit`), or none fits.
    """
    longest, lengths = recipe.optimisation.max_length, list(tokens["length"])
    kept = [position for position, length in enumerate(lengths) if length <= longest]
    if len(kept) == len(lengths):
        return tokens
    at = max(range(len(lengths)), key=lengths.__getitem__)
    which = f"row {at + 1} (problem {tokens[at]['problem_id']!r}) has {lengths[at]:,} tokens"
    if limit is not None and lengths[at] > limit:
        raise ConfigError(f"{source!r}: {which}, over the {limit:,} positions of the model; take it out or shorten it")
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
