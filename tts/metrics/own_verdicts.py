"""Whether our grades agree with verdicts that came with the candidates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tts.metrics.grading import Graded

NAMES = ("correct", "is_correct", "is_corrects", "corrects", "correctness", "symbolic_correct", "judge_correct")
"""What lists of verdicts beside candidates are called."""


class OwnVerdicts(NamedTuple):
    """How many candidates have a verdict of their file's in the list `name`, and of how many ours is the same."""

    name: str
    same: int
    of: int

    def __str__(self) -> str:
        share = f"{100 * self.same / self.of:.0f} % of {self.of:,}"
        return f"the file's own verdicts ({self.name}) agree with ours in {share}"


def own_verdicts(rows: Iterable[Graded]) -> OwnVerdicts | None:
    """The agreement with the first list of verdicts that problems have; `None` without any, or without grades."""
    name, same, of = "", 0, 0
    for row in rows:
        recorded = row.outcome.problem.metadata.get("recorded", {})
        name = name or next((one for one in NAMES if one in recorded), "")
        told = recorded.get(name, [])
        for candidate, verdict in zip(row.outcome.candidates, row.candidates or (), strict=False):
            own = told[candidate.index] if candidate.index < len(told) else None
            if own in (0, 1):  # True and False are, too
                of += 1
                same += verdict == bool(own)
    return OwnVerdicts(name, same, of) if of else None
