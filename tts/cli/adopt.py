"""`tts adopt`: any table of responses as candidate sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

import tts
from tts.cli import say
from tts.cli._options import columns_option, join_option, on_error_option, output_option, think_option
from tts.cli._output import check_output, write_sets
from tts.contracts.grader import extractor as extractor_of
from tts.sources.guess import Guess
from tts.sources.layout import Layout, layout_of
from tts.sources.opening import rows_of
from tts.sources.reading import Reading
from tts.sources.understood import understood_sets
from tts.vocabulary.records import Sampled
from tts.vocabulary.thinking import CLOSE, OPEN

ENDINGS = (".jsonl", ".parquet")
SHOWN = 2  # rows
_WIDTH = 100  # characters of a text that is shown


@click.command()
@click.argument("table", metavar="FILE")
@columns_option
@join_option
@click.option("--limit", "-n", type=click.IntRange(min=1), help="Read only so many problems.")
@on_error_option
@click.option("--extractor", default="auto", metavar="NAME", help="What finds the answers that are shown.")
@think_option
@output_option("The candidate sets", ENDINGS)
def adopt(
    table: str,
    columns: dict[str, str] | None,
    join: str | None,
    limit: int | None,
    on_error: Literal["raise", "skip"],
    extractor: str,
    think: tuple[str, str] | None,
    output: Path | None,
) -> None:
    """Guess what the columns of a table are, show two rows, write candidate sets that every command reads.

    FILE has several responses in a row, or one response in each row, under whatever names; or is what another tool
    wrote. A wrong guess is put right with --columns. The sets are JSON lines on stdout, or in a file with -o.
    """
    check_output(output, ENDINGS)
    layout = layout_of(table, columns)
    mapping = columns or {}
    if layout.format is None:
        mapping = _guessed(table, mapping, joined=join is not None)
        layout = layout_of(table, mapping)
    reading = Reading(mapping, limit, on_error)
    sets = list(reading.sets(table, think or (OPEN, CLOSE), extractor_of(extractor), layout.format, join))
    _show(table, layout, reading, sets)
    write_sets(sets, output)
    if output is not None:
        say(f"saved {len(sets)} candidate sets to {output}; aggregate them with: tts compare {output}")


def _guessed(table: str, columns: dict[str, str], *, joined: bool) -> dict[str, str]:
    """The columns by role; raises `TaskError` where nothing looks like responses."""
    guess = Guess(rows_of(table), columns)
    missing = [role for role in guess.missing if not (joined and role == "problem")]
    if missing:
        example = ",".join(f"{role}=NAME" for role in missing)
        raise tts.TaskError(
            f"{table}: no column looks like the {' or the '.join(missing)}; it has "
            f"{', '.join(map(repr, guess.names)) or 'no columns'}; say --columns {example}"
        )
    left_out = {"problem"} - columns.keys() if joined else set()
    found = {role: name for role, name in guess.columns.items() if role not in left_out}
    say(", ".join(f"{role}: column {name!r}" for role, name in found.items()))
    return found


def _show(table: str, layout: Layout, reading: Reading, sets: list[Sampled]) -> None:
    understood = understood_sets(table, layout, reading, sets)
    say(f"{understood.source}: {understood.what}, gold: {understood.gold}")
    say(understood.audit)
    for candidates, answer in sets[:SHOWN]:
        say(f"problem {candidates.problem.id}: {_cut(candidates.problem.text)}")
        say(f"  gold: {answer!r}")
        for one in candidates.candidates[:SHOWN]:
            say(f"  candidate {one.index}: {_cut(one.text)} → answer {one.answer!r}")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
