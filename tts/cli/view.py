"""`tts view`: the report of a run in a browser while the run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tts.bridge.loop import run_sync
from tts.cli import say
from tts.cli._options import RunPlace, stored_answers_options
from tts.vocabulary.errors import MissingDependencyError


@click.command()
@click.argument("place", metavar="[FOLDER|STORE]", default=".", type=RunPlace())
@click.option("--port", type=click.IntRange(0, 65535), default=8401, show_default=True, help="0 takes a free one.")
@click.option("-k", type=click.IntRange(min=1), help="Size of the groups, where a store has several.")
@stored_answers_options
@click.option("--prices", type=click.Path(path_type=Path), help="A .toml or .json file of prices per million tokens.")
def view(place: str | Path, port: int, prices: Path | None, **stored: Any) -> None:
    """Show the report of a run in a browser of this machine, also while the run goes on; nothing is written.

    A FOLDER is looked through for stores and summaries, which stand in a list; two of them can be compared. The page of
    a store tells what is going on in it: counts, newest decisions, cost so far.
    """
    try:
        from tts.view.server import view as run
    except ModuleNotFoundError as error:
        raise MissingDependencyError(f"tts view needs {error.name}; pip install 'ttscale[serve]'") from error
    from tts.contracts.prices import Prices
    from tts.view.pages import Pages
    from tts.view.runs import check_place

    check_place(place)
    told = None if prices is None else Prices.read(prices)
    pages = Pages({name: value for name, value in stored.items() if value is not None}, told)
    run_sync(lambda: run(place, port, pages, say))
