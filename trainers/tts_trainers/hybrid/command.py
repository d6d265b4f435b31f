"""`tts train hybrid`: from the command line to a run."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click

from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.hybrid.refresh import train_refreshed
from tts_trainers.hybrid.run import check_hybrid, train_hybrid
from tts_trainers.recipe import load_recipe
from tts_trainers.runtime.processes import rank
from tts_trainers.runtime.terminal import quiet, say


@click.command(name="hybrid")
@click.argument("recipe")
@click.option("--data", metavar="FILE", help="Training rows: a file, a folder of `tts train-data`, or hub:org/name.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="runs/RECIPE by default."
)
@click.option("--arm", type=click.Choice(["direct", "refine", "hybrid"]), help="Train on this half of the rows only.")
@click.option("--set", "changes", multiple=True, metavar="TABLE.KEY=VALUE", help="Change one key; may be given again.")
@click.option("--resume/--no-resume", default=True, help="Go on with the run in --out (default), or start it again.")
@click.option(
    "--refresh",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train in N + 1 rounds; between two the rows are made anew over candidates of the model as it is then.",
)
@click.option("--dry-run", is_flag=True, help="Make all checks, say what would be trained on, and stop.")
@click.option(
    "--preview", "shows", is_flag=True, help="The same, with some rows as tokens, those to be learned marked."
)
def command(
    recipe: str,
    data: str | None,
    out: Path | None,
    arm: str | None,
    changes: tuple[str, ...],
    resume: bool,
    refresh: int | None,
    dry_run: bool,
    shows: bool,
) -> None:
    """Train a model to solve and to refine, as RECIPE says: the path of a TOML file, or the name of one of ours.

    Running the same command again goes on from the last checkpoint.
    """
    given = {"data.train": data, "objective.arm": arm}
    shortcuts = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items() if value is not None]
    settings = load_recipe(recipe, HybridRecipe, [*changes, *shortcuts])
    target = out or Path("runs") / Path(recipe).name.removesuffix(".toml")
    quiet()
    if dry_run or shows:
        click.echo(check_hybrid(settings, target, resume=resume, rows=shows))
        return
    line = shlex.join(["tts", *sys.argv[1:]])
    if refresh is None:
        done = train_hybrid(settings, target, resume=resume, say=say, command=line)
    else:
        done = train_refreshed(settings, target, refresh, resume=resume, say=say, command=line)
    if rank() == 0:
        click.echo(done)
