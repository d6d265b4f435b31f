"""Text of other people, made safe for what reads it: encoders, spreadsheets, terminals."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

T = TypeVar("T")

_FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠]")  # a cell that begins so is computed; full-width ones, too
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and newline


def mended(value: Any) -> Any:
    """Half surrogate pairs, which a server's JSON may hold and UTF-8 may not, become the replacement character."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def mended_row(value: Any) -> Any:
    """The same for every text in a JSON-able value."""
    if isinstance(value, dict):
        return {mended(key): mended_row(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [mended_row(one) for one in value]
    return mended(value)


def json_line(value: Any, *, ascii_only: bool = False) -> str:
    """A value as JSON on one line that any encoder takes, without a character that a terminal obeys."""
    text = json.dumps(mended_row(value), ensure_ascii=ascii_only)
    return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)  # those that are left stand in strings


def spreadsheet_cell(value: T) -> T | str:
    """The value as a cell of a CSV file: text that would be computed as a formula is marked as text.

    A number that is written as text stays one.
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def printable(text: str) -> str:
    """The text with control characters spelled out: what a terminal would obey is shown instead."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text.replace("\r\n", "\n"))
