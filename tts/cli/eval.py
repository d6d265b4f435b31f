"""`tts eval`: a whole protocol, from problems to a report in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

import tts
from tts.cli._explain import explain_option, show_explanation
from tts.cli._json_line import write_json
from tts.cli._max_failed import finish, max_failed_option
from tts.cli._options import (
    Pairs,
    by_option,
    engine_options,
    grader_option,
    k_option,
    parameter_option,
    source_options,
    strategies_named,
    strategy_option,
    title_option,
)
from tts.cli._output import command_line
from tts.cli._progress import watch
from tts.cli._quiet import tell
from tts.eval.protocol import PAGE, Evaluation, protocol_strategies


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
@strategy_option("those of the paper that the models given allow")
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
@by_option
@click.option(
    "--balanced",
    is_flag=True,
    help="Groups that use all samples where K does not divide them: they overlap, each sample in equally many.",
)
@click.option(
    "--controls",
    "with_controls",
    is_flag=True,
    help="Let the strategies decide on changed candidates, too, as `tts controls` does; on the page, in controls.md.",
)
@click.option("--check-grades", is_flag=True, help="Ask other graders, too, and list where they disagree.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the page goes, by ending as in `tts report`.  [default: FOLDER/report.html]",
)
@title_option
@click.option("--overwrite", is_flag=True, help="Replace the report of another protocol in FOLDER.")
@click.option("--json", "as_json", is_flag=True, help="The report.json on standard output, instead of a table.")
@max_failed_option
@explain_option
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
    by: tuple[str, ...],
    balanced: bool,
    with_controls: bool,
    check_grades: bool,
    report: Path | None,
    title: str,
    overwrite: bool,
    as_json: bool,
    max_failed: str,
    explain: bool,
    grader: str | None,
    engine: dict[str, Any],
) -> None:
    """Run a protocol: sample candidates of the PROBLEMS, aggregate groups of K with every strategy, grade, report.

    PROBLEMS as in `tts compare`. Everything is kept in FOLDER; stopped at any point, the same command goes on from
    there and writes the same report.md, report.json, results.jsonl and page. What depends on the run is in
    timings.json, and in the page's section on time.
    """
    from tts.eval import evaluate as run_protocol

    chosen = _named(names, parameters)
    if explain:
        strategies = protocol_strategies(problems, chosen, outputs, columns, engine)
        show_explanation(problems, strategies, k, n=n, columns=columns, limit=limit, on_error=on_error, engine=engine)
        return
    with watch("decision", None, engine.setdefault("store", folder / "store.db")) as listener:
        found = run_protocol(
            problems,
            folder,
            strategies=chosen,
            k=k,
            n=n,
            outputs=outputs,
            estimator=estimator,
            by=by,
            balanced=balanced,
            check_grades=check_grades,
            controls=with_controls,
            overwrite=overwrite,
            report=PAGE if report is None else report.absolute(),
            title=title,
            command=command_line(),
            columns=columns,
            limit=limit,
            on_error=on_error,
            grader=grader,
            listeners=[listener],
            **engine,
        )
    _show(found, as_json=as_json)
    _tell_files(folder, folder / PAGE if report is None else report, with_controls=with_controls)
    finish(found.comparison, max_failed, engine["store"])


def _named(names: tuple[str, ...], parameters: Pairs) -> list[tts.Strategy] | None:
    """The strategies that are named; `None` where none is, and the protocol chooses."""
    if not names and parameters:
        raise tts.ConfigError("-p needs -s: name the strategies whose parameters are given")
    return strategies_named(names, parameters) if names else None


def _show(found: Evaluation, *, as_json: bool) -> None:
    if as_json:
        write_json(found.report())
    else:
        click.echo("\n\n".join(map(str, found.screen())))
        if found.controls is not None:
            click.echo(f"\n{found.controls}")


def _tell_files(folder: Path, page: Path, *, with_controls: bool) -> None:
    tell(f"saved report.md with all tables, report.json, results.jsonl and timings.json in {folder}")
    if with_controls:
        tell(f"saved controls.md and controls.json in {folder}")
    if page.exists():
        tell(f"the page is {page}")
