"""`tts plan`: how many problems, samples, outputs a gap asks for."""

from __future__ import annotations

from pathlib import Path

import click

import tts
from tts.cli._json_line import write_json
from tts.cli._options import RunPlace, k_option
from tts.cli._streams import prints_aside


@click.command()
@click.argument("pilot", required=False, type=RunPlace())
@click.option("--gap", type=float, required=True, metavar="SHARE", help="The difference to be shown, such as 0.05.")
@click.option("--strategy", "-s", default="gsr", show_default=True, metavar="NAME", help="Whose gap to the majority.")
@click.option("--rescued", type=float, metavar="SHARE", help="Without a pilot: groups it alone will be right on.")
@click.option("--harmed", type=float, metavar="SHARE", help="Without a pilot: groups the majority alone is right on.")
@click.option(
    "--alike",
    type=float,
    default=0.5,
    show_default=True,
    metavar="SHARE",
    help="Without a pilot: how much of the variance lies between problems; 1 where more groups of one tell nothing.",
)
@k_option()
@click.option("--json", "as_json", is_flag=True, help="The plan as one JSON object.")
def plan(
    pilot: str | Path | None,
    gap: float,
    strategy: str,
    rescued: float | None,
    harmed: float | None,
    alike: float,
    k: int,
    as_json: bool,
) -> None:
    """Say how many problems x samples x outputs show a gap with 80 % power, before tokens are spent.

    PILOT is a store in which a few problems were decided by the strategy and by majority; their gold answers tell how
    much they spread. Without one, state rates: --rescued 0.10 --harmed 0.03.
    """
    from tts.metrics.plan import pilot_plan, plan_table, spread_of_rates
    from tts.metrics.plan import plan as planned

    if pilot is not None:
        from tts.report.stored import stored_run

        store = pilot / "store.db" if isinstance(pilot, Path) and pilot.is_dir() else pilot
        with prints_aside():  # graders and extractors are plugins
            compared = stored_run(store)
        if compared.baseline is None or strategy not in compared.strategies:
            raise tts.ConfigError(
                f"pilot {str(pilot)!r} has decisions of {', '.join(compared.strategies)}; a plan needs {strategy!r} "
                "and a majority: run `tts compare` with both and --store first"
            )
        found = pilot_plan(compared, strategy, compared.baseline, gap)
    elif rescued is None or harmed is None:
        raise tts.ConfigError("give a PILOT store, or --rescued and --harmed, such as --rescued 0.10 --harmed 0.03")
    else:
        found = planned(gap, spread_of_rates(rescued, harmed, alike), k=k)
    if as_json:
        write_json({"gap": gap, "strategy": strategy, "plans": [one.to_dict() for one in found]})
    else:
        click.echo(str(plan_table(found, gap, strategy, pilot=pilot is not None)))
