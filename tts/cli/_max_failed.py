"""`--max-failed`: how a command ends where something is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tts.cli import say
from tts.metrics.missing import Missing, tolerated
from tts.vocabulary.errors import ConfigError, IncompleteError

if TYPE_CHECKING:
    from tts.eval import Comparison

Command = TypeVar("Command", bound=Callable[..., None])


class _Tolerance(click.ParamType[str]):
    name = "N|P%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is, once it says a number or a share."""
        try:
            tolerated(value, 1)
        except ConfigError:
            self.fail(f"{value!r} is neither a number of problems such as 3 nor a share such as 5%", param, ctx)
        return str(value)


def max_failed_option(function: Command) -> Command:
    """`--max-failed`, in `max_failed`."""
    text = "How many problems may lack a decision or a candidate; with more the status is 3."
    option = click.option("--max-failed", type=_Tolerance(), default="0", show_default=True, metavar="N|P%", help=text)
    return option(function)


def finish(done: Comparison, max_failed: str, store: Path | None, *, given: bool = False) -> None:
    """End as `end` does; with status 1 where nothing could be decided, with 2 where strata are by no column of it."""
    done.check_by()
    let_through = done.missing.incomplete and not done.missing.exceeds(max_failed)
    if done.results and len(done.failed) == len(done.results) and not let_through:
        say(f"error: all {len(done.failed)} failed; the first: {done.failed[0].error}")
        raise click.exceptions.Exit(1)
    end(done.missing, max_failed, store, given=given)


def end(missing: Missing, max_failed: str, store: Path | None, *, given: bool = False) -> None:
    """Say what is missing, if anything is, and how to go on; raises `IncompleteError` where that is not tolerated.

    `given` says that the candidates came from a file, so that no call of this command asks for them.
    """
    if not missing.incomplete:
        return
    if not missing.exceeds(max_failed):
        say(f"warning: {missing}; --max-failed {max_failed} tolerates it")
        return
    again = "the same command again asks only for what is missing"
    if given and missing.candidates_missing:
        again = "the candidates are missing where these came from: sample them there again"
    elif store is None:
        again = f"with --store {again}"
    raise IncompleteError(f"{missing}; {again} (--max-failed says how many problems may be incomplete)")
