"""One JSON value on a line of its own, without what candidate sets need to be imported."""

from __future__ import annotations

from typing import Any

import click

from tts.cli._streams import data_stream
from tts.output.text import json_line


def write_json(value: Any) -> None:
    """One JSON value on one line of stdout, in whatever encoding that has."""
    stream = data_stream()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(json_line(value, ascii_only=not encoding.lower().startswith("utf")), file=stream)
