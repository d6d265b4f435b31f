"""`tts eval`: a whole protocol, from problems to a report in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

import tts
from tts.cli._completion import names_of
from tts.cli._json_line import write_json
from tts.cli._max_failed import finish, max_failed_option
from tts.cli._options import (
    Pairs,
    engine_options,
    grader_option,
    k_option,
    parameter_option,
    source_options,
    strategies_of,
)
from tts.cli._progress import watch
from tts.cli._quiet import tell


@click.command(name="eval")
@source_options
@click.option(
    "--output",
    "-o",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where the report goes, and the store.",
)
@click.option(
    "--strategy",
    "-s",
    "names",
    multiple=True,
    shell_complete=names_of("strategy", many=True),
    metavar="NAME[,NAME...]",
    help="May be given again.  [default: those of the paper that the models given allow]",
)
@k_option()
@click.option("--samples", "n", type=click.IntRange(min=1), default=16, show_default=True, help="Candidates sampled.")
@click.option(
    "--outputs", type=click.IntRange(min=1), default=4, show_default=True, help="Of a strategy that writes, per group."
)
@parameter_option
@click.option(
    "--estimator",
    type=click.Choice(["groups", "subsets"]),
    default="groups",
    show_default=True,
    help="Accuracy over non-overlapping groups of K, or over all subsets of K where a strategy has that estimate.",
)
@click.option("--prices", type=click.Path(path_type=Path), help="A .toml or .json file of prices per million tokens.")
@click.option("--check-grades", is_flag=True, help="Ask other graders, too, and list where they disagree.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the page goes, by ending as in `tts report`.  [default: FOLDER/report.html]",
)
@click.option("--overwrite", is_flag=True, help="Replace the report of another protocol in FOLDER.")
@click.option("--json", "as_json", is_flag=True, help="The report.json on standard output, instead of a table.")
@max_failed_option
@grader_option
@engine_options
def evaluate(
    problems: str | None,
    columns: dict[str, str] | None,
    limit: int | None,
    on_error: Literal["raise", "skip"],
    folder: Path,
    names: tuple[str, ...],
    k: int,
    n: int,
    outputs: int,
    parameters: Pairs,
    estimator: Literal["groups", "subsets"],
    prices: Path | None,
    check_grades: bool,
    report: Path | None,
    overwrite: bool,
    as_json: bool,
    max_failed: str,
    grader: str | None,
    engine: dict[str, Any],
) -> None:
    """Run a protocol: sample candidates of the PROBLEMS, aggregate groups of K with every strategy, grade, report.

    PROBLEMS as in `tts compare`. Everything is kept in FOLDER; stopped at any point, the same command goes on from
    there and writes the same report.md, report.json, results.jsonl and page. What depends on the run is in
    timings.json, and in the page's section on time.
    """
    from tts.eval import Prices
    from tts.eval import evaluate as run_protocol
    from tts.eval.protocol import PAGE

    chosen = strategies_of(list(dict.fromkeys(",".join(names).split(","))), parameters) if names else None
    if chosen is None and parameters:
        raise tts.ConfigError("-p needs -s: name the strategies whose parameters are given")
    with watch("decision", None, engine.get("store", folder / "store.db")) as listener:
        found = run_protocol(
            problems,
            folder,
            strategies=chosen,
            k=k,
            n=n,
            outputs=outputs,
            estimator=estimator,
            prices=None if prices is None else Prices.read(prices),
            check_grades=check_grades,
            overwrite=overwrite,
            report=PAGE if report is None else report.absolute(),
            columns=columns,
            limit=limit,
            on_error=on_error,
            grader=grader,
            listeners=[listener],
            **engine,
        )
    if as_json:
        write_json(found.report())
    else:
        click.echo("\n\n".join(map(str, found.screen())))
    tell(f"saved report.md with all tables, report.json, results.jsonl and timings.json in {folder}")
    page = folder / PAGE if report is None else report
    if page.exists():
        tell(f"the page is {page}")
    finish(found.comparison, max_failed, engine.get("store", folder / "store.db"))
