"""Numbers as a report writes them."""

from __future__ import annotations

from tts.metrics.estimate import Estimate
from tts.metrics.pairs import Pair
from tts.metrics.tables import counted


def percent(share: float, *, signed: bool = False) -> str:
    """A share as a percentage with one decimal, without the sign %; a true minus, and none before zero."""
    rounded = round(100 * share, 1) + 0.0
    return f"{rounded:{'+' if signed else ''}.1f}".replace("-", "−")


def interval(found: Estimate, *, signed: bool = False) -> str:
    """The 95 % interval in percent; empty for a single problem, which bounds nothing."""
    if not found.bounded:
        return ""
    return f"{percent(found.low, signed=signed)} to {percent(found.high, signed=signed)}"


def estimate(found: Estimate | None, *, signed: bool = False) -> str:
    """The mean with its interval, `82.3 (80.1 to 84.4)`; empty for none."""
    if found is None:
        return ""
    bounds = interval(found, signed=signed)
    return percent(found.mean, signed=signed) + (f" ({bounds})" if bounds else "")


def tokens(number: float) -> str:
    """A count of tokens with thousands separators; one decimal where it is small."""
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:,.1f}"


def p_value(p: float) -> str:
    """Two digits, and never 0."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def verdict(pair: Pair) -> str:
    """The verdict as a sentence without numbers."""
    if pair.verdict != "cannot tell":
        return f"{pair.a} is {pair.verdict} than {pair.b}"
    problems = counted(pair.difference.problems, "problem")
    return f"cannot tell {pair.a} and {pair.b} apart with {problems}; {pair.would_tell}"
