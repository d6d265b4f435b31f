"""`tts controls`: what strategies do where their candidates were changed."""

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
    output_option,
    parameter_option,
    source_options,
    strategies_of,
)
from tts.cli._output import check_output
from tts.cli._progress import watch
from tts.eval.controlled import DEFAULT_STRATEGIES
from tts.output.file import write_whole
from tts.output.text import json_line

ENDINGS = (".json", ".md")


@click.command()
@source_options
@click.option(
    "--strategy",
    "-s",
    "names",
    multiple=True,
    shell_complete=names_of("strategy", many=True),
    metavar="NAME[,NAME...]",
    help=f"Or FILE.py:CLASS; may be given again.  [default: {','.join(DEFAULT_STRATEGIES)}]",
)
@click.option("--only", metavar="NAME[,NAME...]", help="Some of the controls, such as other,empty.  [default: all]")
@k_option()
@parameter_option
@grader_option
@engine_options
@output_option("What was found", ENDINGS)
@max_failed_option
@click.option("--json", "as_json", is_flag=True, help="What was found as one JSON object.")
def controls(
    problems: str | None,
    columns: dict[str, str] | None,
    limit: int | None,
    on_error: Literal["raise", "skip"],
    names: tuple[str, ...],
    only: str | None,
    k: int,
    parameters: Pairs,
    grader: str | None,
    engine: dict[str, Any],
    output: Path | None,
    max_failed: str,
    as_json: bool,
) -> None:
    """Let strategies decide on their candidates, then on changed ones: another problem's, empty, copied, wrong ...

    The tables say what each strategy goes by: does it read the problem, does it use its candidates, what does it copy?
    PROBLEMS as in `tts compare`, with gold answers. With --store nothing is asked twice.
    """
    check_output(output, ENDINGS)
    chosen = strategies_of(list(dict.fromkeys(",".join(names).split(","))) if names else DEFAULT_STRATEGIES, parameters)
    with watch("decision", None, engine.get("store")) as listener:
        found = tts.eval.controls(
            problems,
            strategies=chosen,
            only=only.split(",") if only else None,
            k=k,
            columns=columns,
            limit=limit,
            on_error=on_error,
            grader=grader,
            listeners=[listener],
            **engine,
        )
    if output is not None:
        tables = "\n\n".join(table.markdown() for table in found.tables()) + "\n"
        write_whole(output, tables if output.suffix == ".md" else json_line(found.to_dict()) + "\n")
    if as_json:
        write_json(found.to_dict())
    else:
        click.echo(str(found))
    for one in found.comparisons.values():
        finish(one, max_failed, engine.get("store"))
