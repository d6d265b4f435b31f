r"""The grammar of `NAME[@option=value,...]`, in which models or tasks are named in calls.

* Options begin at the first `@` that is followed by `option=`; an `@` before it belongs to the name.
* A value ends at a comma. One that is a JSON object or array is read to its end, commas and all.
* A backslash before `@` or `,` takes their meaning; it is written twice where it stands before them as itself, and
  anywhere else it is a letter like others (`C:\models`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

_KEY = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*=")
_AT = re.compile(r"(\\*)@")
_MARK = re.compile(r"(\\*)([,@])")
_JSON = json.JSONDecoder()


class Parts(NamedTuple):
    """A name with its options in the order in which they stand."""

    name: str
    options: tuple[tuple[str, str], ...]


class NotAReference(ValueError):  # noqa: N818 - it says what the text is not
    """The text has options that cannot be read; the message says which, and begins in the middle of a sentence."""


def split_reference(text: str) -> Parts:
    """Take a text apart; raises `NotAReference` rather than take options for a part of the name."""
    for at in _AT.finditer(text):
        if len(at[1]) % 2 == 0 and _KEY.match(text, at.end()):
            name = text[: at.start()] + at[1][: len(at[1]) // 2]
            return Parts(_plain(name, _AT), tuple(_options(text[at.end() :])))
    unescaped = [at.end() for at in _AT.finditer(text) if len(at[1]) % 2 == 0]
    if unescaped and "=" in (tail := text[unescaped[-1] :]):
        raise NotAReference(f"{tail.partition(',')[0]!r} is not option=value; write \\@ for an @ of the name")
    return Parts(_plain(text, _AT), ())


def join_reference(name: str, options: Iterable[tuple[str, str]]) -> str:
    """The text that `split_reference` takes apart into these; values have no spaces around them."""
    options = list(options)
    written = _AT.sub(lambda at: _escaped(at[1], "@", "=" in name[at.end() :]), name)
    if not options:
        return written
    values = [f"{key}={_value(value)}" for key, value in options]
    return _doubled(written) + "@" + ",".join([*map(_doubled, values[:-1]), values[-1]])


def _options(tail: str) -> Iterable[tuple[str, str]]:
    seen: set[str] = set()
    start = 0
    while start <= len(tail):
        key = _KEY.match(tail, start)
        if key is None:
            raise NotAReference(
                f"{tail[start:].partition(',')[0]!r} is not option=value; write \\, for a comma in a value"
            )
        if key[1] in seen:
            raise NotAReference(f"the option {key[1]!r} is given twice")
        seen.add(key[1])
        value, start = _taken(tail, key.end(), key[1])
        yield key[1], value


def _taken(tail: str, start: int, key: str) -> tuple[str, int]:
    """The value that begins there, and where the next option does."""
    if (end := _json_end(tail, start)) is not None:
        return tail[start:end].strip(), end + 1
    end = len(tail)
    for mark in _MARK.finditer(tail, start):
        if len(mark[1]) % 2:
            continue
        if mark[2] == "@" and (name := _KEY.match(tail, mark.end())):
            raise NotAReference(
                f"{'@' + name[1] + '='!r} stands in the value of {key!r}; options are separated by commas, "
                "and \\@ is an @ that belongs to a value"
            )
        if mark[2] == ",":
            end = mark.start(2)
            break
    raw = tail[start:end]
    if end < len(tail):
        run = len(raw) - len(raw.rstrip("\\"))
        raw = raw[: len(raw) - run // 2]
    return _plain(raw, _MARK).strip(), end + 1


def _json_end(text: str, start: int) -> int | None:
    """Where an object or array ends that is a whole value, else `None`."""
    begin = start + len(text[start:]) - len(text[start:].lstrip())
    if text[begin : begin + 1] not in {"{", "["}:
        return None
    try:
        _, end = _JSON.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return None
    end += len(text[end:]) - len(text[end:].lstrip())
    return end if text[end : end + 1] in {"", ","} else None


def _value(value: str) -> str:
    if _json_end(value, 0) == len(value):
        return value
    return _MARK.sub(lambda mark: _escaped(mark[1], mark[2], mark[2] == "," or _names(value, mark.end())), value)


def _names(value: str, place: int) -> bool:
    return _KEY.match(value, place) is not None


def _escaped(slashes: str, mark: str, escape: bool) -> str:
    return 2 * slashes + ("\\" if escape else "") + mark


def _doubled(text: str) -> str:
    """With the backslashes at its end written twice, for a mark follows."""
    return text + text[len(text.rstrip("\\")) :]


def _plain(text: str, marks: re.Pattern[str]) -> str:
    return marks.sub(lambda mark: mark[1][: len(mark[1]) // 2] + mark[0][len(mark[1]) :], text)
