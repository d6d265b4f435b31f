"""`tts gaps`: the Refinement Gap of several runs in one table."""

from __future__ import annotations

from pathlib import Path

import click

from tts.cli._json_line import write_json


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strategy", "-s", default="gsr", show_default=True, metavar="NAME", help="Whose gap to the majority.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per run.")
def gaps(runs: tuple[Path, ...], strategy: str, as_json: bool) -> None:
    """Put the Refinement Gap of several RUNS into one table, e.g. of several sizes of a model.

    RUNS are folders of `tts eval`, or .json files of `tts compare -o`.
    """
    from tts.eval import gap_table, read_gaps

    found = read_gaps(runs, strategy)
    if not as_json:
        click.echo(str(gap_table(found, strategy)))
        return
    for one in found:
        estimates = {"pass@1": one.pass_at_1, "majority": one.majority, strategy: one.refined, "gap": one.gap}
        write_json(
            {"run": one.run, "model": one.model, "k": one.k} | {name: e.to_dict() for name, e in estimates.items()}
        )
