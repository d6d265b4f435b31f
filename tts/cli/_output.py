"""What goes to stdout: tables for people, JSON lines for programs; and candidate sets to files."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from tts._errors import ConfigError, MissingDependencyError

PARQUET_CHUNK = 64  # rows held at a time


def write_json(value: Any) -> None:
    """One JSON value on one line of stdout, at once."""
    click.echo(json.dumps(value, ensure_ascii=False))


def write_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """An aligned table on stdout; on a terminal the last column is wrapped to its width."""
    texts = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(text[column]) for text in texts) for column in range(len(header))]
    indent = sum(widths[:-1]) + 2 * (len(header) - 1)
    room = max(shutil.get_terminal_size().columns - indent, 24) if sys.stdout.isatty() else 10_000
    for text in texts:
        head = "  ".join(cell.ljust(width) for cell, width in zip(text[:-1], widths, strict=False))
        lines = textwrap.wrap(text[-1], room) or [""]
        click.echo(f"{head}  {lines[0]}".rstrip())
        for line in lines[1:]:
            click.echo(" " * indent + line)


def check_output(path: Path | None) -> None:
    """Refuse a file that could not be written before anything is spent on what is to go there."""
    if path is None:
        return
    if path.suffix not in (".jsonl", ".parquet"):
        raise ConfigError(f"{path}: can be written as .jsonl or .parquet, not as {path.suffix or 'a file without ending'}")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {str(path.parent)!r}; make it first")
    if path.suffix == ".parquet":
        _parquet()


def write_rows(rows: Iterable[dict[str, Any]], path: Path | None) -> int:
    """Write rows to a .jsonl or .parquet file, or as JSON lines to stdout; how many there were."""
    if path is None:
        return _write_lines(rows, None)
    if path.suffix == ".parquet":
        return _write_parquet(rows, path)
    with path.open("w", encoding="utf-8") as file:
        return _write_lines(rows, file)


def _write_lines(rows: Iterable[dict[str, Any]], file: TextIO | None) -> int:
    count = 0
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False), file=file)
        count += 1
    return count


def _write_parquet(rows: Iterable[dict[str, Any]], path: Path) -> int:
    """Nested values that differ from row to row are written as JSON text, which the readers take as well."""
    pa, pq = _parquet()
    raise NotImplementedError((pa, pq, rows, path))


def _parquet() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingDependencyError("writing Parquet needs 'pyarrow'; pip install 'ttscale[data]'") from error
    return pa, pq
