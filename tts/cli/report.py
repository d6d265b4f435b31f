"""`tts report`: the decisions in a store as a report, without any model; several runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

import tts
from tts.cli import say
from tts.cli._options import RunPlace, by_option, stored_answers_options, title_option
from tts.cli._output import command_line
from tts.cli._streams import prints_aside
from tts.rows.files import is_file_name


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunPlace())
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="By ending: .html, .md, .tex; a name without ending is a folder with everything.",
)
@title_option
@click.option("-k", type=click.IntRange(min=1), help="Size of the groups, where a store has several.")
@stored_answers_options
@click.option("--prices", type=click.Path(path_type=Path), help="A .toml or .json file of prices per million tokens.")
@by_option
@click.option("--check-grades", is_flag=True, help="Ask other graders, too, and list where they disagree.")
def report(
    runs: tuple[str | Path, ...],
    output: Path,
    title: str,
    k: int | None,
    answers: str | None,
    grader: str | None,
    extractor: str | None,
    prices: Path | None,
    by: tuple[str, ...],
    check_grades: bool,
) -> None:
    """Report on the decisions that a store holds: of `tts run`, `tts compare` or `tts eval` with --store.

    The page needs no network: accuracy with intervals, curves, rescue and harm, verdicts, cost, and every candidate.
    Several RUNS, such as sizes of a model, are shown side by side with their Refinement Gaps; a run is a store (.db,
    postgresql://…), a folder of `tts eval`, or a .json file of `tts compare -o`.
    """
    from tts.eval import Prices, grader_disagreements
    from tts.report.runs import read_runs, runs_document
    from tts.report.stored import stored_run
    from tts.report.writer import check_target, write_document, write_report

    check_target(output)
    for one in runs:
        if is_file_name(str(one)) and not str(one).endswith(".json"):
            raise tts.ConfigError(
                f"{str(one)!r} is a table, not a run; for candidates in it: tts compare {one} --report {output}"
            )
    with prints_aside():  # graders, extractors, sections are plugins
        if len(runs) > 1:
            if prices is not None or check_grades or by:
                raise tts.ConfigError("--prices, --by and --check-grades are for the report of one run; give one")
            several = read_runs(runs, k=k, answers=answers, grader=grader, extractor=extractor)
            document = runs_document(several, title)._replace(command=command_line())
            say(f"wrote {write_document(document, output)}")
            return
        store = runs[0] / "store.db" if isinstance(runs[0], Path) and runs[0].is_dir() else runs[0]
        told = None if prices is None else Prices.read(prices)
        compared = stored_run(store, k=k, answers=answers, grader=grader, extractor=extractor)
        compared.by = by
        compared.check_by()
        compared.made = compared.made._replace(command=command_line())
        found = grader_disagreements(compared.rows) if check_grades else None
        beside: dict[str, Any] = {"prices": told, "disagreements": found, "controls": _controls(runs[0])}
        say(f"wrote {write_report(compared, output, title=title, store=store, **beside)}")


def _controls(run: str | Path) -> dict[str, Any] | None:
    """What `tts eval --controls` left in a run's folder."""
    path = run / "controls.json" if isinstance(run, Path) else None
    if path is None or not path.is_file():
        return None
    try:
        told = json.loads(path.read_text("utf-8"))
        return {name: told[name] for name in ("k", "controls", "results", "sentences")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise tts.ConfigError(f"{str(path)!r} is not what tts eval --controls writes: {error}") from error
