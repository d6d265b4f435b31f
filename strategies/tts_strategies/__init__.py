"""Aggregation strategies, one file each, declared as a stranger would declare them."""

from __future__ import annotations

from tts import Entry, hookimpl


@hookimpl
def tts_strategies() -> list[Entry]:
    """The built-in strategies."""
    return [
        Entry(
            name="first",
            target="tts_strategies.first:First",
            summary="the first candidate as it is (pass@1); no aggregation",
        ),
        Entry(
            name="majority",
            target="tts_strategies.majority:Majority",
            summary="vote over equivalence classes of answers (Wang et al. 2022, arXiv 2203.11171)",
        ),
        Entry(
            name="gsr",
            target="tts_strategies.gsr:GSR",
            summary="the policy reads its own candidates and writes a new solution (arXiv 2509.00084)",
        ),
    ]
