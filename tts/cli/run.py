"""`tts run`: many problems, one strategy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

import tts
from tts.cli import say
from tts.cli._explain import explain_option, show_explanation
from tts.cli._json_line import write_json
from tts.cli._max_failed import finish, max_failed_option
from tts.cli._options import (
    Pairs,
    engine_options,
    grader_option,
    k_option,
    one_strategy_option,
    output_option,
    parameter_option,
    report_option,
    source_options,
    strategies_of,
)
from tts.cli._output import check_output, save
from tts.cli._progress import expected, watch

ENDINGS = (".json", ".jsonl", ".csv", ".parquet")


@click.command()
@source_options
@one_strategy_option
@k_option()
@parameter_option
@grader_option
@engine_options
@output_option("The graded results", ENDINGS)
@report_option
@max_failed_option
@explain_option
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON line per result, as it is decided, with gold answer and grade."
)
def run(
    problems: str | None,
    columns: dict[str, str] | None,
    limit: int | None,
    on_error: Literal["raise", "skip"],
    strategy: str,
    k: int,
    parameters: Pairs,
    grader: str | None,
    engine: dict[str, Any],
    output: Path | None,
    report: Path | None,
    title: str,
    max_failed: str,
    explain: bool,
    as_json: bool,
) -> None:
    """Sample K candidates for each of the PROBLEMS, aggregate them with one strategy, and grade.

    PROBLEMS is a .jsonl, .json, .csv, .tsv or .parquet file, task:NAME, hub:ORG/NAME@split=test, `-` for standard
    input, or the text of one problem; the built-in task where nothing is given.
    """
    check_output(output, ENDINGS)
    [chosen] = strategies_of([strategy], parameters)
    if explain:
        show_explanation(problems, [chosen], k, columns=columns, limit=limit, on_error=on_error, engine=engine)
        return

    with watch("decision", expected(problems, limit), engine.get("store"), streams=as_json) as listener:
        done = tts.run(
            problems,
            strategy=chosen,
            k=k,
            columns=columns,
            limit=limit,
            on_error=on_error,
            on_record=write_json if as_json else None,
            grader=grader,
            listeners=[listener],
            **engine,
        )
    save(done, output, report, engine, title)
    (say if as_json else click.echo)(str(done))
    finish(done, max_failed, engine.get("store"))
