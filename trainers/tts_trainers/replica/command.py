"""`tts paper`: one table or figure of arXiv 2509.00084, runs of one's own or a family of small models beside it.

By default it measures the family that ships: student, hybrid model, reward model, judge and synthesizer of one size.
The other arms of Table 2 and the other sizes of Figure 2 are made by `make replica` and `make replica-scaling`;
`--family` names their folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    "table3": "sizes",
    "table4": "methods",
    "table5": "methods",
    "figure2": "sizes",
    "figure5": "methods",
    "figure6": "ks",
    "figure7": "harder",
    "figure8": "methods",
}
_COUNTED = ("table6", "table7")


@click.command()
@click.argument("name", type=click.Choice(sorted([*_MEASURED, *_COUNTED], key=lambda one: (one[0] != "t", one))))
@click.option(
    "--runs",
    multiple=True,
    metavar="[LABEL/]BENCHMARK=RUN,...",
    help="Runs of your own: folders of `tts eval` or .json files; BENCHMARK is aime24, aime25, amc22_23, math500, "
    "olympiadbench or any other name, LABEL of whom (in Table 2 base, direct, refine, hybrid).",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A folder of `tts train-data`, whose counts go below Tables 6 and 7.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/paper"),
    show_default=True,
    metavar="FOLDER",
    help="Where measurements of the family are kept; the same command goes on from there.",
)
@click.option("--family", type=click.Path(path_type=Path), help="A folder of `make replica`.  [default: what ships]")
@click.option("--groups", type=click.IntRange(min=1), help="Groups measured.  [default: the recipe's, 1,000 or 500]")
def command(
    name: str, runs: tuple[str, ...], card: Path | None, output: Path, family: Path | None, groups: int | None
) -> None:
    """Print a table or figure of the paper: the published numbers, and beside them your runs.

    Without --runs a family of small models is measured. Tables 1, 4 and 5 and Figures 5 and 8 share one measurement;
    models that the family lacks have no row.
    """
    click.echo(paper_table(name, output, family, groups, runs, card))


def paper_table(
    name: str,
    output: Path,
    family: Path | None = None,
    groups: int | None = None,
    runs: Sequence[str] = (),
    card: Path | None = None,
) -> str:
    """The table as Markdown, of `runs`, else of the family, of which what is not there yet is measured.

    Raises `ConfigError` for no family, and for runs that cannot be read.
    """
    if runs and (family is not None or groups is not None):
        raise ConfigError("--runs and the family's options exclude each other: leave --family and --groups out")
    if card is not None and name not in _COUNTED:
        raise ConfigError(f"--card is for {' and '.join(_COUNTED)}; {name} is of runs")
    if name in _COUNTED:
        return _counted(name, runs, card)
    from tts_trainers.paper.runs import read_runs
    from tts_trainers.paper.tables import TABLES

    return TABLES[name](read_runs(runs)) if runs else _of_family(name, output, family, groups)


def _counted(name: str, runs: Sequence[str], card: Path | None) -> str:
    from tts_trainers.paper.counts import table_6, table_7

    if runs:
        raise ConfigError(f"{name} counts training data, not runs: give --card FOLDER, a folder of tts train-data")
    return {"table6": table_6, "table7": table_7}[name](card)


def _of_family(name: str, output: Path, family: Path | None, groups: int | None) -> str:
    """Measured on the family, as far as it has the models."""
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
    measures[measured](folder)
    return tables.of_family(name, folder, recipe, _parameters(recipe, family) if measured == "sizes" else {})


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
