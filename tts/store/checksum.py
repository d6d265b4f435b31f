"""The checksum that a row is stored with, by which a row is known that was damaged or changed by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

# How many of a table's first columns it covers: an answer that is filled in later is in `golds`, too, and whole there.
COVERED = {"problems": 2, "draws": 6, "completions": 3, "calls": 4, "results": 4, "golds": 4}


def checksum(table: str, row: Sequence[Any]) -> int:
    """63 bits over the row as it is stored."""
    values = row[: COVERED[table]]
    text = "\x1f".join(["" if value is None else str(value) for value in values])
    if "\0" in text:
        text = text.replace("\0", "\ufffd")  # as databases without null characters have it
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def is_damaged(table: str, row: Sequence[Any], stored: int | None) -> bool:
    """Whether a row is not what was stored; one of an early version, which has no checksum, is believed."""
    return stored is not None and stored != checksum(table, row)
