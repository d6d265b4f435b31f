"""Second opinions on a pair of answers that share no code with our own verdict; they run in a worker process."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from math_verify import parse, verify  # type: ignore[import-untyped]

_SAME = 1e-6  # relative difference of two values that count as one

_DELIMITED = re.compile(r"\$|\\boxed|\\\(|\\\[")


def math_verify(gold: str, answer: str) -> bool:
    """Math-Verify's own verdict; bare answers get the delimiters that it asks for."""
    return bool(verify(_parsed(gold), _parsed(answer), timeout_seconds=None))


def numeric(gold: str, answer: str) -> bool | None:
    """Whether the values agree to six digits; `None` where one of the two has none."""
    values = [_value(text) for text in (gold, answer)]
    if None in values:
        return None
    one, other = values
    return bool(abs(one - other) <= _SAME * max(abs(one), abs(other)))


def _value(text: str) -> Any:
    """A complex number, or `None`; plain numbers need no algebra."""
    plain = text.strip().strip("$").replace(",", "")
    try:
        return complex(plain)
    except ValueError:
        values = [one for one in _parsed(text) if not isinstance(one, str)]
    try:
        return complex(values[0].evalf(20))
    except (IndexError, AttributeError, TypeError, ValueError):
        return None


def _parsed(text: str) -> Any:
    return parse(text if _DELIMITED.search(text) else f"${text}$", parsing_timeout=None)


JUDGES: dict[str, Callable[[str, str], bool | None]] = {"math_verify": math_verify, "numeric": numeric}
