"""The checksum that a row is stored with, by which a row is known that was damaged or changed by hand."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

# How many of a table's first columns it covers: an answer that is filled in later is in `golds`, too, and whole there.
COVERED = {"problems": 2, "draws": 6, "completions": 3, "calls": 4, "results": 4, "golds": 4}


def checksum(table: str, row: Sequence[Any]) -> int:
    """CRC-32 over the row as it is stored."""
    found = 0
    for value in row[: COVERED[table]]:
        text = "" if value is None else str(value)
        if "\0" in text:
            text = text.replace("\0", "\ufffd")  # as databases without null characters have it
        found = zlib.crc32(b"\x1f", zlib.crc32(text.encode("utf-8", "surrogatepass"), found))
    return found


def is_damaged(table: str, row: Sequence[Any], stored: int | None) -> bool:
    """Whether a row is not what was stored; one of an early version, which has no checksum, is believed."""
    return stored is not None and stored != checksum(table, row)
