"""What the training commands say on stderr: the first process speaks for all."""

from __future__ import annotations

import sys

import click

from tts_trainers.runtime.processes import rank


def say(message: str) -> None:
    """A line for the person."""
    if rank() == 0:
        click.echo(message, err=True)


def quiet() -> None:
    """No progress bars of the libraries where nobody watches, nor on further processes."""
    if sys.stderr.isatty() and rank() == 0:
        return
    import datasets
    from transformers.utils import logging as transformers_logging

    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # as transformers wrote it
