"""What pydantic refuses, as a sentence of ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import ValidationError

from tts.vocabulary.errors import did_you_mean


class Refusal(NamedTuple):
    """The first thing that is wrong with some fields; `field` is the one that is, `None` where there is no such one."""

    sentence: str
    field: str | None


def refusal(kind: str, error: ValidationError, known: Iterable[str]) -> Refusal:
    """What is wrong with the fields of a `kind`, such as "sampling"; `known` are those that there are."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "?"
    if first["type"] == "extra_forbidden":
        return Refusal(f"{kind} has no parameter {field!r}{did_you_mean(field, known)}", None)
    why = first["msg"].removeprefix("Value error, ")  # pydantic's, before the sentence of a validator
    return Refusal(f"{kind}: parameter {field}={first.get('input')!r}: {why}", field)
