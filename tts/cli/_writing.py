"""An answer on stdout while it is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from tts.cli import say, show_text
from tts.cli._streams import data_stream
from tts.output.text import printable

_CHANGED = "the answer has become another one since its beginning was written above; this is it:"


class Writing:
    """What of an answer stands on stdout so far; where nobody reads that any more, nothing is written."""

    def __init__(self) -> None:
        self._said = ""
        self._broken = False

    def __call__(self, text: str) -> None:
        """Write more of it, at once."""
        self._said += text
        if not self._broken:
            try:
                out = data_stream()  # what else is printed meanwhile goes to stderr
                click.echo(printable(text) if out.isatty() else text, file=out, nl=False)
            except OSError:  # whoever works for it must not fail; `end` meets it again
                self._broken = True

    @contextmanager
    def line(self) -> Iterator[None]:
        """Whatever ends the writing, what follows begins on a line of its own."""
        try:
            yield
        except BaseException:
            if self._said:
                with suppress(OSError):
                    click.echo(file=data_stream())
            raise

    def end(self, text: str) -> None:
        """The answer is this."""
        if text == self._said:
            click.echo()
            return
        if self._said:
            click.echo()
            say(_CHANGED)
        show_text(text)
