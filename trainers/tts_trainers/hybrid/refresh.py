"""On-policy rows: a run in rounds, between which the candidates are drawn anew from the model as it is then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from tts import ConfigError
from tts_trainers.data.pipeline import RECIPE_FILE, curate
from tts_trainers.data.recipe import RECORDED, DataRecipe
from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.hybrid.run import train_hybrid

log = logging.getLogger("tts.train")
Say = Callable[[str], None]


def train_refreshed(
    recipe: HybridRecipe,
    out: Path,
    refreshes: int,
    *,
    resume: bool = True,
    say: Say = log.info,
    command: str | None = None,
) -> Path:
    """Train in `refreshes` + 1 rounds of equal length, each on rows over candidates of the round before.

    The first round learns from the rows that the recipe names, which must be a folder of `tts train-data`: its recipe
    makes the others. Each round is a run of its own, with its own schedule and its own folder beside `out`
    (`OUT-round-0` …, rows in `OUT-data-1` …); the last one is in `out`. Rounds and rows that are there are kept, so
    the same call goes on where it ended.
    """
    data = _data_recipe(recipe)
    parts = [_part(recipe, refreshes + 1, number) for number in range(refreshes + 1)]
    for number, part in enumerate(parts):
        if number:
            before = _beside(out, f"round-{number - 1}")
            rows = _beside(out, f"data-{number}")
            say(f"round {number}: candidates of {before}")
            student = data.student.model_copy(update={"model": f"hf:{before}"})
            curate(data.model_copy(update={"student": student}), rows, say)
            part = _from(part, before, rows)
        last = number == refreshes
        target = out if last else _beside(out, f"round-{number}")
        train_hybrid(part, target, resume=resume, say=say, command=command)
    return out


def _beside(out: Path, name: str) -> Path:
    return out.with_name(f"{out.name}-{name}")


def _data_recipe(recipe: HybridRecipe) -> DataRecipe:
    """The recipe that made the rows; raises `ConfigError` where they were made in another way."""
    folder = Path(recipe.data.train or "")
    file = folder / RECIPE_FILE
    if not recipe.data.train or not file.is_file():
        raise ConfigError(
            f"--refresh draws candidates anew as `tts train-data` does, and {str(folder)!r} is no folder of it; give "
            "one as --data"
        )
    found = DataRecipe.model_validate_json(file.read_text("utf-8"))
    if found.student.model == RECORDED:
        raise ConfigError(
            "--refresh needs student.n, temperature and max_tokens of a model in the recipe of the rows, and their "
            "candidates are recorded; make them with a student"
        )
    return found


def _part(recipe: HybridRecipe, rounds: int, number: int) -> HybridRecipe:
    """The recipe of one round: its share of the steps or epochs, in the whole run's proportion."""
    given = recipe.optimisation
    if given.steps is not None:
        if given.steps < rounds:
            raise ConfigError(f"optimisation.steps = {given.steps} are fewer than {rounds} rounds; refresh less often")
        steps = given.steps * (number + 1) // rounds - given.steps * number // rounds
        return recipe.model_copy(update={"optimisation": given.model_copy(update={"steps": steps})})
    assert given.epochs is not None, "a recipe has one of the two"
    return recipe.model_copy(update={"optimisation": given.model_copy(update={"epochs": given.epochs / rounds})})


def _from(recipe: HybridRecipe, model: Path, rows: Path) -> HybridRecipe:
    # What the first round was told of positions and templates is in its checkpoint.
    section = recipe.model.model_copy(update={"name": str(model)})
    data = recipe.data.model_copy(update={"train": str(rows), "evaluation": None})
    return recipe.model_copy(update={"model": section, "data": data})
