"""A command; imported only when it is called."""

from __future__ import annotations

import click


@click.command()
def greet() -> None:
    """Say hello."""
    click.echo("hello from a stranger")
