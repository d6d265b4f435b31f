"""A pairwise judge from graded candidates: SFT on verdicts, in the generic format of `tts.prompts.judge_messages`.

Every pair is shown in both orders, so the letter alone says nothing. What a judge thinks before its verdict comes from
a teacher function; without one it learns the bare verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic import Field

from tts import Candidate, Problem, Sampling
from tts.eval import Estimate, clustered_mean
from tts.prompts import Letter, judge_messages, read_verdict
from tts_trainers.helpers.command import Job, coin, done, helper_command, percentage
from tts_trainers.helpers.completions import Fitted, fit_completions, log
from tts_trainers.helpers.evaluate import measured, respond
from tts_trainers.helpers.graded import Pair
from tts_trainers.helpers.recipe import HelperRecipe
from tts_trainers.rows import Row, row
from tts_trainers.runtime.terminal import say

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEMPLATE = "judge"  # the template that `generic:BACKEND:MODEL` asks with
# (problem, response A, response B, right verdict) -> what the judge is to think before it
Teacher = Callable[[Problem, Candidate, Candidate, Letter], str]


class JudgeRecipe(HelperRecipe):
    """The settings of `tts train judge`."""

    own_prefix: ClassVar[str] = "judge-"
    pairs_per_problem: int = Field(4, ge=1)
    """The most pairs of a correct and a wrong response to one problem; each is shown in both orders. By default four
    (our choice).
    """

    template: str = TEMPLATE
    """The prompt: a template of ours by name, or the path of a Jinja file with the fields `problem`, `a` and `b`. By
    default what the judge format `generic` asks with.
    """

    evaluated_pairs: int = Field(200, ge=1)
    """The most held-out pairs that are judged, in both orders and greedily. By default 200 (our choice)."""

    max_tokens: int = Field(1024, ge=1)
    """The most new tokens of a verdict with its thinking, in the evaluation. By default 1,024 (our choice)."""


class Verdicts(NamedTuple):
    """How a judge decides held-out pairs.

    `accuracy` is over single verdicts, an invalid one being wrong, and `both_orders` over pairs judged right in both
    orders. `flip_rate` is the share of pairs, among those with two valid verdicts, where the winner changed with the
    order; `None` where there is no such pair.
    """

    accuracy: Estimate
    both_orders: Estimate
    flip_rate: float | None
    invalid_rate: float


class JudgeReport(NamedTuple):
    """What was learned from, and how held-out pairs are judged: `None` without any, and on further processes."""

    fitted: Fitted
    verdicts: Verdicts | None


def judge_rows(pairs: Sequence[Pair], *, template: str = TEMPLATE, teacher: Teacher | None = None) -> list[Row]:
    """Two rows for each pair: the correct response as A, and as B."""
    rows = []
    for pair in pairs:
        for letter, a, b in _orders(pair):
            verdict = f"<answer>[[{letter}]]</answer>"
            if teacher is not None:
                verdict = f"<think>\n{teacher(pair.problem, a, b, letter)}\n</think>\n\n{verdict}"
            prompt = judge_messages(pair.problem, a, b, template)
            provenance = {"source": "judge", "label": "gold", "template": template}
            # The prompt shows candidates: to the trainer that makes it a refine row.
            made = row(prompt, verdict, "refine", problem_id=pair.problem.id, n_correct=1, provenance=provenance)
            rows.append(made)
    return rows


def _orders(pair: Pair) -> list[tuple[Letter, Candidate, Candidate]]:
    """(letter of the correct response, A, B) for both orders."""
    return [("A", pair.chosen, pair.rejected), ("B", pair.rejected, pair.chosen)]


def train_judge(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    recipe: JudgeRecipe,
    out: Path,
    *,
    held_out: Sequence[Pair] = (),
    progress: Callable[[str], None] = log.info,
) -> JudgeReport:
    """Train `model` in place on rows of `judge_rows` (or of one's own), write it to `out`, and judge held-out pairs.

    Raises `ConfigError` where there is nothing to learn from.
    """
    fitted = fit_completions(model, tokenizer, rows, recipe.optimisation, out, recipe.seed, progress)
    return JudgeReport(fitted, measured(held_out[: recipe.evaluated_pairs], lambda pairs: judged(out, pairs, recipe)))


def judged(folder: Path, pairs: Sequence[Pair], recipe: JudgeRecipe) -> Verdicts:
    """The verdicts of a checkpoint on pairs, each in both orders, against what is correct."""
    shown = [(pair, *order) for pair in pairs for order in _orders(pair)]
    prompts = [judge_messages(pair.problem, a, b, recipe.template) for pair, _, a, b in shown]
    responses = respond(folder, prompts, Sampling(temperature=0, max_tokens=recipe.max_tokens))
    said = [read_verdict(response.text) for response in responses]
    right = [verdict == letter for verdict, (_, letter, _, _) in zip(said, shown, strict=True)]
    return summarise([pair.problem.digest for pair in pairs], said, right)


def summarise(problems: Sequence[str], said: Sequence[Letter | None], right: Sequence[bool]) -> Verdicts:
    """The figures from two verdicts per pair, one after the other; `problems` has one entry per pair."""
    both = list(zip(right[::2], right[1::2], strict=True))
    single = clustered_mean(((p, float(r)) for p, pair in zip(problems, both, strict=True) for r in pair), (0.0, 1.0))
    pairwise = clustered_mean(((p, float(all(pair))) for p, pair in zip(problems, both, strict=True)), (0.0, 1.0))
    assert single is not None  # there is at least one pair
    assert pairwise is not None
    valid = [(a, b) for a, b in zip(said[::2], said[1::2], strict=True) if a is not None and b is not None]
    # The winner stays when the letter changes with the order.
    flips = sum(a == b for a, b in valid) / len(valid) if valid else None
    return Verdicts(single, pairwise, flips, sum(verdict is None for verdict in said) / len(said))


@helper_command("judge", JudgeRecipe)
def command(job: Job[JudgeRecipe]) -> None:
    """Train a pairwise judge on the CANDIDATES, graded: a store (.db) or a file as `tts sample` writes it.

    It learns to name the correct one of two responses. Use it with
    `tts compare --strategy knockout --judge generic:hf:FOLDER`.
    """
    recipe = job.recipe
    pairs, tests = job.pairs(recipe.pairs_per_problem)
    rows = judge_rows(pairs, template=recipe.template)
    tokenizer = job.tokenizer()
    fitted, verdicts = train_judge(job.model(), tokenizer, rows, recipe, job.out, held_out=tests, progress=say)
    say(f"{fitted.rows} verdicts learned from, {fitted.left_out} left out as too long")
    if verdicts is not None:
        flips = "" if verdicts.flip_rate is None else f", changed with the order {verdicts.flip_rate:.1%}"
        say(
            f"held-out verdicts right: {percentage(verdicts.accuracy)}; in both orders: "
            f"{percentage(verdicts.both_orders)}; invalid {verdicts.invalid_rate:.1%}{flips}"
        )
        if warning := coin(verdicts.accuracy, "this judge", "give it more candidates, or a larger model"):
            say(warning)
    own = "" if recipe.template == TEMPLATE else f"@template={recipe.template}"
    done(job.out, f"--strategy knockout --judge generic:hf:{job.out}{own}")
