"""`tts paper`: one table or figure of arXiv 2509.00084 on a family of small models, the published numbers beside it.

By default the family is the one that ships: student, hybrid model, reward model, judge and synthesizer of one size. The
other arms of Table 2 and the other sizes of Figure 2 are made by `make replica` and `make replica-scaling`; `--family`
names their folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tts import ConfigError

if TYPE_CHECKING:
    from tts_trainers.replica.recipe import ReplicaRecipe

# What is measured for each; several are printed from one measurement.
_MEASURED = {
    "table1": "methods",
    "table2": "arms",
    "table4": "methods",
    "table5": "methods",
    "figure2": "sizes",
    "figure5": "methods",
    "figure6": "ks",
    "figure7": "harder",
    "figure8": "methods",
}


@click.command()
@click.argument("name", type=click.Choice(list(_MEASURED)))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/paper"),
    show_default=True,
    metavar="FOLDER",
    help="Where measurements are kept; the same command goes on from there.",
)
@click.option("--family", type=click.Path(path_type=Path), help="A folder of `make replica`.  [default: what ships]")
@click.option("--groups", type=click.IntRange(min=1), help="Problems measured.  [default: the recipe's, 1,000 or 500]")
def command(name: str, output: Path, family: Path | None, groups: int | None) -> None:
    """Print a table or figure of the paper, measured on a family of small models, beside the published numbers.

    Tables 1, 4 and 5 and Figures 5 and 8 share one measurement. Models that the family lacks have no row.
    """
    click.echo(paper_table(name, output, family, groups))


def paper_table(name: str, output: Path, family: Path | None = None, groups: int | None = None) -> str:
    """Measure what is not there yet and return the table as Markdown; raises `ConfigError` for no family."""
    from tts_trainers.recipe import load_recipe
    from tts_trainers.replica import tables
    from tts_trainers.replica.evaluate import Evaluation
    from tts_trainers.replica.recipe import ReplicaRecipe

    recipe = load_recipe("replica", ReplicaRecipe)
    if groups is not None:
        stage = recipe.evaluation.model_copy(
            update={"groups": groups, "arm_groups": groups, "scorer_problems": 2 * groups}
        )
        recipe = recipe.model_copy(update={"evaluation": stage})
    evaluation, measured = Evaluation(output, recipe, _places(recipe, family)), _MEASURED[name]
    folder = output / (measured if groups is None else f"{measured}-{groups}")
    measures: dict[str, Callable[[Path], None]] = {
        "methods": evaluation.methods,
        "arms": evaluation.arms,
        "sizes": evaluation.sizes,
        "ks": evaluation.numbers_of_candidates,
        "harder": evaluation.harder,
    }
    printed: dict[str, Callable[[Path], str]] = {
        "table1": tables.table_1,
        "table2": tables.arms,
        "table4": tables.table_4,
        "table5": tables.table_5,
        "figure2": lambda place: tables.sizes(place, recipe, _parameters(recipe, family)),
        "figure5": tables.table_5,
        "figure6": lambda place: tables.numbers_of_candidates(place, recipe),
        "figure7": lambda place: tables.harder(place, recipe),
        "figure8": tables.figure_8,
    }
    measures[measured](folder)
    return printed[name](folder)


def _parameters(recipe: ReplicaRecipe, family: Path | None) -> dict[str, int]:
    if family is None:
        return {}
    from tts_trainers.replica.replicate import parameters

    return parameters(family, recipe)


def _places(recipe: ReplicaRecipe, family: Path | None) -> dict[str, str]:
    """Where the models of a family are, by the names that its stages have."""
    if family is None:
        helpers = {name: f"miniature/{name}" for name in ("reward", "judge", "synthesizer")}
        return {f"hybrid-{recipe.main}": "miniature", f"base-{recipe.main}": "miniature/base", **helpers}
    places = {one.name: str(one) for one in family.iterdir() if one.is_dir()} if family.is_dir() else {}
    if f"hybrid-{recipe.main}" not in places:
        raise ConfigError(
            f"--family {family}: there is no model hybrid-{recipe.main} in it; give a folder of make replica"
        )
    return places
