"""`tts sample`: candidates now, aggregation later."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import click

import tts
from tts.cli import say
from tts.cli._options import engine_options, k_option, output_option, source_options
from tts.cli._output import check_output, write_sets
from tts.cli._progress import expected, watch

ENDINGS = (".jsonl", ".parquet")


@click.command()
@source_options
@k_option()
@engine_options
@output_option("The candidate sets", ENDINGS)
def sample(
    problems: str | None,
    columns: dict[str, str] | None,
    limit: int | None,
    on_error: Literal["raise", "skip"],
    k: int,
    engine: dict[str, Any],
    output: Path | None,
) -> None:
    """Sample K candidates for each of the PROBLEMS (as in `tts run`), for `tts compare` to aggregate.

    They are written as JSON lines to stdout, or to a file with -o. With --store they are kept as they arrive, nothing
    is sampled twice, and without -o nothing is printed.
    """
    check_output(output, ENDINGS)
    store = engine.get("store")
    total = expected(problems, limit)
    with watch("candidate", total and total * k, store) as listener:
        samples = tts.sample(
            problems, k=k, columns=columns, limit=limit, on_error=on_error, listeners=[listener], **engine
        )
    if output is not None or store is None:
        write_sets(samples.sampled, output)
    if output is not None:
        say(f"saved {len(samples)} candidate sets to {output}; aggregate them with: tts compare {output}")
    errors = [one.error for candidates in samples for one in candidates if one.error is not None]
    if errors:
        say(f"{'warning' if any(s.usable for s in samples) else 'error'}: {len(errors)} candidates failed: {errors[0]}")
        sys.exit(0 if any(s.usable for s in samples) else 1)
