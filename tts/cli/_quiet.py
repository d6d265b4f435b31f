"""`--quiet`: no news, only what is data or wrong."""

from __future__ import annotations

import click

from tts.cli import say

_KEY = "tts.quiet"


def _remember(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    ctx.meta[_KEY] = value


quiet_option = click.option(
    "--quiet", "-q", is_flag=True, expose_value=False, callback=_remember, help="No progress, only warnings and errors."
)


def is_quiet() -> bool:
    """Whether the command that runs was given `--quiet`."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx is not None and ctx.meta.get(_KEY))


def tell(message: str) -> None:
    """A line of news for the person, unless silence was asked for."""
    if not is_quiet():
        say(message)
