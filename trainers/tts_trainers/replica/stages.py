"""From nothing to the embedded miniature model: `python -m tts_trainers.replica.stages --out FOLDER`.

Stages, each skipped when its result is there and was made with the same settings:

1. `base`: tokenizer and student, direct SFT on worked solutions, stopped at intermediate skill
2. `candidates`: the student samples 6 candidates for each training problem; 4 are chosen
3. `model`: hybrid SFT on direct rows and on refine prompts over those candidates
4. `table`: student and model on test problems
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tts import CandidateSet, ConfigError
from tts.prompts import direct_messages
from tts.tasks.sums import Sums
from tts_trainers.candidates import CandidateGroup, choose, limit_all_correct
from tts_trainers.hybrid import train
from tts_trainers.recipe import HybridObjective, Section, load_recipe
from tts_trainers.replica.generate import sample
from tts_trainers.replica.measure import Measurement, as_markdown, measure
from tts_trainers.replica.recipe import MiniatureRecipe
from tts_trainers.replica.rows import direct_rows, refine_rows
from tts_trainers.replica.student import build_model, build_tokenizer, load, save, token_counter, train_problems
from tts_trainers.rows import Row

log = logging.getLogger("tts_trainers.replica.stages")

# Each use of the task draws its own problems.
_BASE_SEED, _CANDIDATE_SEED, _DIRECT_SEED, _TEST_SEED = 1, 2, 3, 4


class Stage(NamedTuple):
    """A step of the way: what it writes, the settings that decide its result, and how it is made."""

    name: str
    settings: Sequence[Section]
    make: Callable[[Path, Path, MiniatureRecipe], None]


def make_base(out: Path, target: Path, recipe: MiniatureRecipe) -> None:
    """Tokenizer and student."""
    tokenizer = build_tokenizer(recipe)
    model = build_model(recipe.model, tokenizer, recipe.seed)
    problems = train_problems(recipe.task, recipe.base.problems, recipe.seed + _BASE_SEED)
    rows = direct_rows(e.problem for e in problems)
    for number, phase in enumerate(recipe.base.phases):
        train(
            model,
            tokenizer,
            rows,
            objective=HybridObjective(arm="direct"),
            optimisation=phase,
            output=out / "trainer" / f"base-{number}",
            seed=recipe.seed + number,
        )
    save(model, tokenizer, target)


def make_candidates(out: Path, target: Path, recipe: MiniatureRecipe) -> None:
    """The student's candidates for training problems, one JSON line each."""
    model, tokenizer = load(out / "base")
    stage = recipe.candidates
    examples = train_problems(recipe.task, stage.problems, recipe.seed + _CANDIDATE_SEED)
    drawn = sample(
        model,
        tokenizer,
        [direct_messages(e.problem) for e in examples],
        n=stage.sampled,
        temperature=stage.temperature,
        top_p=stage.top_p,
        max_tokens=stage.max_tokens,
        seed=recipe.seed,
    )
    target.mkdir()
    with (target / "candidates.jsonl").open("w", encoding="utf-8") as file:
        for example, candidates in zip(examples, drawn, strict=True):
            file.write(CandidateSet(problem=example.problem, candidates=tuple(candidates)).model_dump_json() + "\n")


def candidate_groups(out: Path, recipe: MiniatureRecipe) -> list[CandidateGroup]:
    """The stored candidates, chosen and mixed over N_c."""
    rng = random.Random(recipe.seed)
    stage = recipe.candidates
    examples = train_problems(recipe.task, stage.problems, recipe.seed + _CANDIDATE_SEED)
    groups = []
    with (out / "candidates" / "candidates.jsonl").open(encoding="utf-8") as file:
        for example, line in zip(examples, file, strict=True):
            candidates = CandidateSet.model_validate_json(line).candidates
            correct = [c.answer == example.answer for c in candidates]
            groups.append(choose(example.problem, candidates, correct, shown=stage.shown, rng=rng))
    return limit_all_correct(groups, stage.all_correct_share, rng=rng)


def make_model(out: Path, target: Path, recipe: MiniatureRecipe) -> None:
    """Hybrid SFT of the student."""
    model, tokenizer = load(out / "base")
    groups = candidate_groups(out, recipe)
    log.info("refine rows by N_c: %s", dict(sorted(Counter(g.n_correct for g in groups).items())))
    stage = recipe.hybrid
    rows: list[Row] = refine_rows(groups, count_tokens=token_counter(tokenizer), seed=recipe.seed)
    if stage.direct_problems:
        problems = train_problems(recipe.task, stage.direct_problems, recipe.seed + _DIRECT_SEED)
        rows += direct_rows(e.problem for e in problems)
    for number, phase in enumerate(stage.phases):
        train(
            model,
            tokenizer,
            rows,
            objective=phase.objective,
            optimisation=phase.optimisation,
            output=out / "trainer" / f"model-{number}",
            seed=recipe.seed + number,
        )
    save(model, tokenizer, target)


def make_table(out: Path, target: Path, recipe: MiniatureRecipe) -> None:
    """Student and model on the same test problems."""
    stage = recipe.evaluation
    task = recipe.task
    sums = Sums(size=stage.problems, seed=recipe.seed + _TEST_SEED, terms=task.terms, left=task.left, right=task.right)
    examples = list(sums.examples())
    measured: dict[str, Measurement] = {}
    for label, folder in {"student": "base", "model": "model"}.items():
        model, tokenizer = load(out / folder)
        measured[label] = measure(model, tokenizer, examples, stage, recipe.seed)
    target.mkdir()
    (target / "table.md").write_text(as_markdown(measured), "utf-8")
    for label, result in measured.items():
        (target / f"{label}.json").write_text(result.model_dump_json(indent=2) + "\n", "utf-8")


def stages(recipe: MiniatureRecipe) -> list[Stage]:
    """The stages in order; each also depends on the settings of those before it."""
    return [
        Stage("base", [recipe.task, recipe.model, recipe.base], make_base),
        Stage("candidates", [recipe.candidates], make_candidates),
        Stage("model", [recipe.hybrid], make_model),
        Stage("table", [recipe.evaluation], make_table),
    ]


def run(out: Path, recipe: MiniatureRecipe) -> str:
    """Make what is not there yet and return the table.

    Raises `ConfigError` where `out` holds a stage made with other settings.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = f"seed {recipe.seed}\n"
    for stage in stages(recipe):
        settings += "".join(f"{section!r}\n" for section in stage.settings)
        target, mark = out / stage.name, out / f"{stage.name}.done"
        if mark.exists():
            if mark.read_text("utf-8") != settings:
                raise ConfigError(
                    f"{str(target)!r} was made with other settings; give another --out or delete it with its mark"
                )
            log.info("%s: there already", stage.name)
            continue
        shutil.rmtree(target, ignore_errors=True)
        started = time.monotonic()
        stage.make(out, target, recipe)
        # The mark is written last, so an interrupted stage is made again.
        mark.write_text(settings, "utf-8")
        log.info("%s: done in %.0f s", stage.name, time.monotonic() - started)
    return (out / "table" / "table.md").read_text("utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tts_trainers.replica.stages", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for all stages; run again to resume")
    parser.add_argument("--recipe", default="miniature", help="a TOML file, or 'miniature' (ours)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    try:
        sys.stdout.write(run(options.out, load_recipe(options.recipe, MiniatureRecipe)))
    except ConfigError as error:
        parser.exit(2, f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
