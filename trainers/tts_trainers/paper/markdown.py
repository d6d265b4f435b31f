"""Numbers as the cells of a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tts_trainers.paper.published import BENCHMARKS
from tts_trainers.paper.runs import Own


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A heading, a table, and lines below."""
    lines = [head, ["---"] * len(head), *rows]
    below = [line for note in notes if note for line in ("", note)]
    return "\n".join([f"## {title}", "", *("| " + " | ".join(line) + " |" for line in lines), *below, ""])


def share(estimate: Mapping[str, Any] | None) -> str:
    """A share in percent with its interval; empty for none."""
    return "" if estimate is None else f"{100 * estimate['mean']:.1f}{_interval(estimate, '.1f')}"


def gap(estimate: Mapping[str, Any] | None) -> str:
    """A difference in points with its interval; empty for none."""
    return "" if estimate is None else f"{100 * estimate['mean']:+.1f}{_interval(estimate, '+.1f')}"


def number(value: float | None) -> str:
    """A published number; empty for what is not reported."""
    return "" if value is None else f"{value:.1f}"


def difference(value: float | None) -> str:
    """A published difference."""
    return "" if value is None else f"{value:+.1f}" if value else "0.0"


def columns(own: Sequence[Own], published: Sequence[str] = BENCHMARKS) -> list[str]:
    """The benchmarks of the paper, then those that only one's own runs have."""
    return list(dict.fromkeys([*published, *(one.benchmark for one in own)]))


def labels(own: Sequence[Own]) -> list[str]:
    """Of whom the runs are, each once."""
    return list(dict.fromkeys(one.label for one in own))


def _interval(estimate: Mapping[str, Any], form: str) -> str:
    if estimate["interval"] is None:
        return ""
    low, high = estimate["interval"]
    return f" [{100 * low:{form}}, {100 * high:{form}}]"
