"""`tts sample`: candidates now, aggregation later."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

import tts
from tts.cli import say
from tts.cli._explain import explain_option, show_explanation
from tts.cli._max_failed import end, max_failed_option
from tts.cli._options import engine_options, k_option, output_option, source_options
from tts.cli._output import check_output, write_sets
from tts.cli._progress import expected, watch
from tts.cli._quiet import tell

ENDINGS = (".jsonl", ".parquet")


@click.command()
@source_options
@k_option()
@engine_options
@output_option("The candidate sets", ENDINGS)
@max_failed_option
@explain_option
def sample(
    problems: str | None,
    columns: dict[str, str] | None,
    limit: int | None,
    on_error: Literal["raise", "skip"],
    k: int,
    engine: dict[str, Any],
    output: Path | None,
    max_failed: str,
    explain: bool,
) -> None:
    """Sample K candidates for each of the PROBLEMS (as in `tts run`), for `tts compare` to aggregate.

    They are written as JSON lines to stdout, or to a file with -o. With --store they are kept as they arrive, nothing
    is sampled twice, and without -o nothing is printed.
    """
    check_output(output, ENDINGS)
    if explain:
        show_explanation(problems, [], k, columns=columns, limit=limit, on_error=on_error, engine=engine)
        return
    store = engine.get("store")
    total = expected(problems, limit)
    with watch("candidate", total and total * k, store) as listener:
        samples = tts.sample(
            problems, k=k, columns=columns, limit=limit, on_error=on_error, listeners=[listener], **engine
        )
    if output is not None or store is None:
        write_sets(samples.sampled, output)
    if output is not None:
        tell(f"saved {len(samples)} candidate sets to {output}; aggregate them with: tts compare {output}")
    missing = samples.missing
    if missing.candidates_missing == missing.candidates and missing.exceeds(max_failed):
        say(f"error: {missing.candidates} candidates failed: {missing.reasons[0][0]}")
        raise click.exceptions.Exit(1)
    if samples.cut is not None:
        say(str(samples.cut))
    end(missing, max_failed, store)
