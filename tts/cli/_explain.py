"""`--explain`: what a command would do, without asking a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from tts.cli import show_text
from tts.contracts.strategy import Strategy

explain_option = click.option(
    "--explain", is_flag=True, help="Show the first prompt, what is extracted, an estimate of calls and tokens; stop."
)


def show_explanation(source: Any, strategies: Sequence[Strategy], k: int, **how: Any) -> None:
    """Print what the call would do."""
    from tts.api.explanation import explain

    show_text(str(explain(source, strategies, k, **how)))
