"""`tts report`: the decisions in a store as a report, without any model."""

from __future__ import annotations

from pathlib import Path

import click

from tts.cli import say


@click.command()
@click.argument("store", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="By ending: .html, .md, .tex; a name without ending is a folder with everything.",
)
@click.option("--title", default="", help="Stands at the top.")
@click.option("-k", type=click.IntRange(min=1), help="Size of the groups, where the store has several.")
@click.option("--grader", default="math", show_default=True, metavar="NAME", help="Compares answers with the gold.")
@click.option("--extractor", default="auto", show_default=True, metavar="NAME", help="Finds the candidates' answers.")
def report(store: Path, output: Path, title: str, k: int | None, grader: str, extractor: str) -> None:
    """Report on the decisions that STORE holds: of `tts run`, `tts compare` or `tts eval` with --store.

    The page needs no network: accuracy with intervals, curves, rescue and harm, verdicts, cost, and every candidate.
    """
    from tts.report._stored import stored_run
    from tts.report._write import check_target, write_report

    check_target(output)
    compared = stored_run(store, k=k, grader=grader, extractor=extractor)
    say(f"wrote {write_report(compared, output, title=title, store=store)}")
