"""An external synthesizer: SFT on the synthesizer's prompt over another model's candidates (arXiv 2501.01668).

A target is a correct solution recorded in the data, or one of the correct candidates, which is then not among those
shown, so that copying is never the way to it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic import Field

from tts import ConfigError, Problem, Sampling, plugins, split_thinking
from tts.eval import Estimate, clustered_mean
from tts.prompts import synthesize_messages, visible
from tts_trainers.data.candidates import CandidateGroup
from tts_trainers.helpers.command import Job, done, helper_command, percentage
from tts_trainers.helpers.completions import Fitted, fit_completions, log
from tts_trainers.helpers.evaluate import grade, measured, respond
from tts_trainers.helpers.graded import GradedSet
from tts_trainers.helpers.recipe import HelperRecipe
from tts_trainers.rows import Row, row
from tts_trainers.runtime.terminal import say

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


TEMPLATE = "synthesize"  # the template that the strategy asks with


class SynthesizerRecipe(HelperRecipe):
    """The settings of `tts train synthesizer`."""

    own_prefix: ClassVar[str] = "synthesizer-"
    shown: int = Field(4, ge=1)
    """Candidates in a prompt. By default four, as GSR's tables show (our choice; the paper trains on five, arXiv
    2501.01668).
    """

    targets: str | None = None
    """The column of the data that holds a solution or a list of them. By default correct candidates are the targets."""

    targets_per_problem: int = Field(4, ge=1)
    """The most targets of one problem, so that no problem dominates. By default four (our choice)."""

    template: str = TEMPLATE
    """The prompt: a template of ours by name, or the path of a Jinja file with the fields `problem` and `candidates`.
    By default what the strategy `synthesizer` asks with.
    """

    evaluated_problems: int = Field(200, ge=1)
    """The most held-out problems that are answered, at the paper's temperature of 0.6 and top-p of 0.9. By default 200
    (our choice).
    """

    max_tokens: int = Field(1024, ge=1)
    """The most new tokens of an answer, in the evaluation. By default the paper's 1,024 (arXiv 2501.01668)."""


class Answers(NamedTuple):
    """How a synthesizer answers held-out problems, beside the mean candidate that it was shown."""

    accuracy: Estimate
    mean_candidate: Estimate


class SynthesizerReport(NamedTuple):
    """What was learned from, and how held-out problems are answered: `None` without any, and on further processes."""

    fitted: Fitted
    answers: Answers | None


def synthesis_rows(sets: Sequence[GradedSet], recipe: SynthesizerRecipe) -> list[Row]:
    """Rows of prompts over `shown` random candidates, with a correct solution as target.

    Raises `ConfigError` where no problem has one.
    """
    rows = []
    solutions = _recorded_solutions(sets, recipe) if recipe.targets else None
    for position, one in enumerate(sets):
        rng = random.Random(f"{recipe.seed}/{one.problem.digest}/{position}")
        found = (
            _from_candidates(one, recipe, rng)
            if solutions is None
            else _from_recorded(one, solutions[position], recipe, rng)
        )
        rows += [_row(group, target, recipe, rng) for group, target in found]
    if not rows:
        what = "a correct candidate and others to show beside it" if solutions is None else "a correct solution"
        raise ConfigError(f"none of the {len(sets)} problems has {what}, so there is no target to learn")
    return rows


def _row(group: CandidateGroup, target: str, recipe: SynthesizerRecipe, rng: random.Random) -> Row:
    prompt = synthesize_messages(group.problem, group.candidates, rng=rng, template=recipe.template)
    teacher = recipe.targets or "correct candidate"
    provenance = {"source": "synthesizer", "teacher": teacher, "label": "gold", "template": recipe.template}
    return row(
        prompt.messages,
        target,
        "refine",
        problem_id=group.problem.id,
        n_correct=group.n_correct,
        provenance=provenance,
    )


def _from_candidates(one: GradedSet, recipe: SynthesizerRecipe, rng: random.Random) -> list[tuple[CandidateGroup, str]]:
    correct = one.of(True)
    rng.shuffle(correct)
    found = []
    for target in correct[: recipe.targets_per_problem]:
        others = [i for i, c in enumerate(one.candidates) if visible(c) != visible(target)]
        if others:
            found.append((_some(one, others, recipe.shown, rng), target.text))
    return found


def _from_recorded(
    one: GradedSet, solutions: Sequence[str], recipe: SynthesizerRecipe, rng: random.Random
) -> list[tuple[CandidateGroup, str]]:
    everything = range(len(one.candidates))
    return [(_some(one, everything, recipe.shown, rng), text) for text in solutions[: recipe.targets_per_problem]]


def _some(one: GradedSet, places: Sequence[int], count: int, rng: random.Random) -> CandidateGroup:
    """A random choice of the candidates at these places."""
    chosen = rng.sample(list(places), min(count, len(places)))
    return CandidateGroup(one.problem, tuple(one.candidates[i] for i in chosen), tuple(one.correct[i] for i in chosen))


def _recorded_solutions(sets: Sequence[GradedSet], recipe: SynthesizerRecipe) -> list[list[str]]:
    """The correct ones of the solutions recorded for each problem.

    Raises `ConfigError` where no problem has the column.
    """
    extract = plugins().resolve("extractor", recipe.extractor)
    recorded = [_column(one.problem, recipe.targets or "") for one in sets]
    if not any(recorded):
        raise ConfigError(f"no problem has a column {recipe.targets!r} with solutions (targets = {recipe.targets!r})")
    answers = [
        (one.answer, extract(split_thinking(text).summary or ""))
        for one, of_one in zip(sets, recorded, strict=True)
        for text in of_one
    ]
    problems = [one.problem.text for one, of_one in zip(sets, recorded, strict=True) for _ in of_one]
    verdicts = iter(grade(answers, recipe.grader, problems))
    return [[text for text in of_one if next(verdicts)] for of_one in recorded]


def _column(problem: Problem, name: str) -> list[str]:
    """Texts of a column of the candidate file; a list as long as the candidates is kept as recorded."""
    value = problem.metadata.get(name, problem.metadata.get("recorded", {}).get(name))
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text.strip()]


def train_synthesizer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    recipe: SynthesizerRecipe,
    out: Path,
    *,
    held_out: Sequence[GradedSet] = (),
    progress: Callable[[str], None] = log.info,
) -> SynthesizerReport:
    """Train `model` in place on rows of `synthesis_rows` (or one's own), write it to `out`, answer held-out problems.

    Raises `ConfigError` where there is nothing to learn from.
    """
    fitted = fit_completions(model, tokenizer, rows, recipe.optimisation, out, recipe.seed, progress)
    tests = held_out[: recipe.evaluated_problems]
    return SynthesizerReport(fitted, measured(tests, lambda sets: answered(out, sets, recipe)))


def answered(folder: Path, sets: Sequence[GradedSet], recipe: SynthesizerRecipe) -> Answers:
    """The accuracy of a checkpoint's answers from `shown` random candidates of each problem."""
    groups, prompts = [], []
    for one in sets:
        rng = random.Random(f"{recipe.seed}/{one.problem.digest}")
        groups.append(_some(one, range(len(one.candidates)), recipe.shown, rng))
        prompts.append(
            synthesize_messages(one.problem, groups[-1].candidates, rng=rng, template=recipe.template).messages
        )
    sampling = Sampling(temperature=0.6, top_p=0.9, max_tokens=recipe.max_tokens, seed=recipe.seed)
    extract = plugins().resolve("extractor", recipe.extractor)
    said = [extract(response.summary or "") for response in respond(folder, prompts, sampling)]
    pairs = [(one.answer, answer) for one, answer in zip(sets, said, strict=True)]
    right = grade(pairs, recipe.grader, [one.problem.text for one in sets])
    problems = [one.problem.digest for one in sets]
    accuracy = clustered_mean(zip(problems, map(float, right), strict=True), (0.0, 1.0))
    shares = (group.n_correct / len(group.correct) for group in groups)
    candidate = clustered_mean(zip(problems, shares, strict=True), (0.0, 1.0))
    assert accuracy is not None  # there is at least one problem
    assert candidate is not None
    return Answers(accuracy, candidate)


@helper_command("synthesizer", SynthesizerRecipe)
def command(job: Job[SynthesizerRecipe]) -> None:
    """Train a synthesizer on another model's CANDIDATES, graded: a store (.db) or a file as `tts sample` writes it.

    It learns to write a solution from several responses. Use it with
    `tts compare --strategy synthesizer --synthesizer hf:FOLDER`.
    """
    train, held_out = job.read()
    rows = synthesis_rows(train, job.recipe)
    tokenizer = job.tokenizer()
    fitted, answers = train_synthesizer(
        job.model(), tokenizer, rows, job.recipe, job.out, held_out=held_out, progress=say
    )
    say(f"{fitted.rows} solutions learned from, {fitted.left_out} left out as too long")
    if answers is not None:
        say(
            f"held-out problems solved: {percentage(answers.accuracy)}; the candidates it read: "
            f"{percentage(answers.mean_candidate)}"
        )
    own = "" if job.recipe.template == TEMPLATE else f" -p template={job.recipe.template}"
    done(job.out, f"--strategy synthesizer --synthesizer hf:{job.out}{own}")
