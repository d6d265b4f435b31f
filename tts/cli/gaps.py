"""`tts gaps`: the Refinement Gap of several runs in one table."""

from __future__ import annotations

from pathlib import Path

import click

from tts.cli._json_line import write_json


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strategy", "-s", default="gsr", show_default=True, metavar="NAME", help="Whose gap to the majority.")
@click.option(
    "--pool",
    is_flag=True,
    help="Take all groups of the runs together, e.g. of several seeds: one gap over problems, mean ± sd between runs.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line per run, or for what is pooled.")
def gaps(runs: tuple[Path, ...], strategy: str, pool: bool, as_json: bool) -> None:
    """Put the Refinement Gap of several RUNS into one table, e.g. of several sizes of a model.

    RUNS are folders of `tts eval`, or .json files of `tts compare -o`; to be pooled, folders.
    """
    from tts.eval import gap_table, pool_gaps, pooled_table, read_gaps

    if pool:
        pooled = pool_gaps(runs, strategy)
        if as_json:
            write_json(pooled.to_dict())
        else:
            click.echo(str(pooled_table(pooled, strategy)))
        return
    found = read_gaps(runs, strategy)
    if not as_json:
        click.echo(str(gap_table(found, strategy)))
        return
    for one in found:
        estimates = {"pass@1": one.pass_at_1, "majority": one.majority, strategy: one.refined, "gap": one.gap}
        write_json(
            {"run": one.run, "model": one.model, "k": one.k} | {name: e.to_dict() for name, e in estimates.items()}
        )
