"""How long a service wants to be left alone, as its refusals say it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

PATIENCE = 300.0
"""Seconds that a pause may have; a longer one is a quota that comes back tomorrow."""

FORWARDED = ("", "llm_provider-")
"""What a header's name may begin with: LiteLLM hands on its provider's under the second."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|h|m|s|d)(?![a-z])")
_DELAY = re.compile(r'"retryDelay"\s*:\s*"([\d.]+)s"')  # Gemini's, in the body
_WORDS = re.compile(
    r"(?:try again|retry|wait)(?: after| in| for)?[^\d.]{0,12}"
    r"((?:\d+(?:\.\d+)?\s*(?:ms|h|m|s|d)(?![a-z]) ?)+|(\d+(?:\.\d+)?) seconds?)",
    re.IGNORECASE,
)
_SPENT = re.compile(
    r"insufficient[ _-](?:quota|balance|credits?|funds)|out of credits|exceeded your current quota|billing hard limit",
    re.IGNORECASE,
)
_BY_THE_MINUTE = re.compile(r"per[ _-]?(?:minute|second)|\b[RT]PM\b", re.IGNORECASE)  # Gemini calls it a quota, too
_BY_THE_DAY = re.compile(r"per[ _-]?day|daily|\b[RT]PD\b", re.IGNORECASE)


def pause(headers: Mapping[str, str], body: str = "") -> float | None:
    """Seconds that a refusal asks for: in its headers, in Gemini's field, or in the words of its message.

    None at all is no answer to how long: who asks again at once is refused again.
    """
    for prefix in FORWARDED:
        value = headers.get(f"{prefix}retry-after-ms")
        if value and (found := _number(value)):
            return found / 1000
        value = headers.get(f"{prefix}Retry-After") or headers.get(f"{prefix}retry-after")
        if found := _seconds(value, headers.get("Date")):
            return found
    if (told := _DELAY.search(body)) and (found := _number(told[1])):
        return found
    if (told := _WORDS.search(body)) and (found := float(told[2]) if told[2] else span(told[1])):
        return found
    resets = [headers.get(f"x-ratelimit-reset-{what}") for what in ("requests", "tokens")]
    left = [headers.get(f"x-ratelimit-remaining-{what}") for what in ("requests", "tokens")]
    waits = [span(at) for at, rest in zip(resets, left, strict=True) if at and rest == "0"]
    return max((one for one in waits if one is not None), default=None) or None


def span(text: str) -> float | None:
    """Seconds of a length of time as services write it: `6m0s`, `1.5s`, `120ms`, or a number of seconds."""
    parts = _SPAN.findall(text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else _number(text)


def used_up(status: int, body: str, after: float | None) -> bool:
    """Whether waiting is no use in this run: money or the quota of a day is spent."""
    if status not in {402, 403, 429}:
        return False
    if status == 402 or (_SPENT.search(body) and not (status == 429 and _BY_THE_MINUTE.search(body))):
        return True
    return status == 429 and ((after or 0) > PATIENCE or (after is None and _BY_THE_DAY.search(body) is not None))


def _seconds(value: str | None, date: str | None) -> float | None:
    """Of the header Retry-After, given in seconds or as a date, which goes by the server's clock where it tells it."""
    if not value:
        return None
    if (found := _number(value)) is not None:
        return found
    if (until := _moment(value)) is None:
        return span(value) if _SPAN.fullmatch(value.strip()) else None
    now = _moment(date) if date else None
    return max(0.0, until - (time.time() if now is None else now))


def _moment(value: str) -> float | None:
    """The time that a date of HTTP means."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _number(value: str) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    return max(0.0, found) if found < 1e9 else None
