"""`tts contamination`: whether problems may have been seen in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

import tts
from tts.cli._json_line import write_json
from tts.cli._options import output_option, source_options
from tts.cli._output import check_output
from tts.cli._quiet import tell
from tts.cli._streams import prints_aside
from tts.output.file import write_whole
from tts.output.text import json_line


@click.command()
@source_options
@click.option(
    "--corpus", type=click.Path(path_type=Path), metavar="PATH", help="A file or folder of text or .jsonl, also .gz."
)
@click.option("--ngram", type=int, default=13, show_default=True, metavar="N", help="Words of an n-gram, 8 or more.")
@click.option(
    "--scorer", metavar="SCORER:MODEL", help="Test the order of the file under a model, e.g. likelihood:FOLDER."
)
@click.option("--shuffles", type=int, default=99, show_default=True, help="Other orders that are tried.")
@click.option("--shard", type=int, default=10, show_default=True, help="Problems whose order is tested at once.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the other orders.")
@output_option("The problems, with a column `contamination` for `--by`", [".jsonl"])
@click.option("--json", "as_json", is_flag=True, help="What was found as one JSON object.")
def contamination(
    problems: str | None,
    columns: dict[str, str] | None,
    limit: int | None,
    on_error: Literal["raise", "skip"],
    corpus: Path | None,
    ngram: int,
    scorer: str | None,
    shuffles: int,
    shard: int,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Look for signs that a model has seen the PROBLEMS: n-grams of them in a corpus, their order under a model.

    A corpus says how much of each problem stands in it, word for word, and whether its answer follows. A scorer says
    whether the model finds the problems likelier in the order of their file than in others. That neither finds anything
    does not prove that they were not seen.
    """
    if corpus is None and scorer is None:
        raise tts.ConfigError("give --corpus PATH for n-grams, --scorer likelihood:MODEL for the order, or both")
    if output is not None and corpus is None:
        raise tts.ConfigError("-o writes what was found in a corpus; give --corpus PATH")
    check_output(output, [".jsonl"])
    found: dict[str, Any] = {}
    with prints_aside():  # tasks and scorers are plugins
        examples = list(tts.read_examples(problems, columns=columns, limit=limit, on_error=on_error))
        if corpus is not None:
            found["overlap"] = overlaps = tts.eval.ngram_overlap(examples, corpus, n=ngram)
        if scorer is not None:
            found["canonical_order"] = tts.eval.canonical_order(
                examples, scorer, shuffles=shuffles, shard=shard, seed=seed
            )
    if output is not None:
        rows = [
            {"id": one.problem.id, "problem": one.problem.text, "answer": one.answer, "contamination": own.level}
            for one, own in zip(examples, overlaps.problems, strict=True)
        ]
        write_whole(output, "".join(json_line(row) + "\n" for row in rows))
        tell(f"saved {len(rows)} problems to {output}")
    if as_json:
        write_json({name: one.to_dict() for name, one in found.items()})
    else:
        click.echo("\n\n".join(map(str, found.values())))
