"""Data files of the figures, one row for each point: CSV, Parquet."""

from __future__ import annotations

import csv
from pathlib import Path

from tts.output.text import mended, mended_row, spreadsheet_cell
from tts.report.section import Figure
from tts.vocabulary.errors import MissingDependencyError

COLUMNS = ("series", "at", "value", "low", "high")


def save_csv(figure: Figure, path: Path) -> Path:
    """The figure's points; values in the units of its axis, an interval that is not known is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in figure.rows():
            writer.writerow({name: spreadsheet_cell(mended(value)) for name, value in row.items()})
    return path


def save_parquet(figure: Figure, path: Path) -> Path:
    """The same as Parquet; `at` is text where rows have names."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError("writing Parquet needs 'pyarrow'; pip install 'ttscale[report]'") from error
    rows = [mended_row(row) for row in figure.rows()]
    named = any(isinstance(row["at"], str) for row in rows)
    at = pa.string() if named else pa.float64()
    kinds = [("series", pa.string()), ("at", at), *((name, pa.float64()) for name in COLUMNS[2:])]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(kinds)), path)
    return path
