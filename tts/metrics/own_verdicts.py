"""Whether our grades agree with verdicts that came with the candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tts.metrics.accuracies import recorded
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.grading import Graded

NAMES = ("correct", "is_correct", "is_corrects", "corrects", "correctness", "symbolic_correct", "judge_correct", "acc")
"""What lists of verdicts beside candidates are called."""
_REWARDS = ("score", "reward", "rewards")
"""Lists that hold verdicts where every number in them is 0 or 1, as those of rewards by rule are."""


class OwnVerdicts(NamedTuple):
    """How many candidates have a verdict of their file's in the list `name`, and of how many ours is the same.

    `right` are right by the file alone, `wrong` by us alone; `agreement` is the share with its interval.
    """

    name: str
    same: int
    of: int
    right: int
    wrong: int
    agreement: Estimate

    def __str__(self) -> str:
        share = f"{100 * self.same / self.of:.0f} % of {self.of:,}"
        told = f"the file's own verdicts ({self.name}) agree with ours in {share}"
        apart = [f"{self.right:,} right by the file alone"] if self.right else []
        apart += [f"{self.wrong:,} right by us alone"] if self.wrong else []
        return f"{told}; {', '.join(apart)}" if apart else told

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return self._asdict() | {"agreement": self.agreement.to_dict()}


def own_verdicts(rows: Iterable[Graded]) -> OwnVerdicts | None:
    """The agreement with the first list of verdicts that problems have; `None` without any, or without grades."""
    every = list(rows)
    name = next((one for one in (*NAMES, *_REWARDS) if any(_holds(row, one) for row in every)), "")
    if not name or (name in _REWARDS and not _binary(every, name)):
        return None
    pairs = [(row.outcome.problem.digest, own, ours) for row in every for own, ours in _pairs(row, name)]
    agreement = clustered_mean(((problem, float(own == ours)) for problem, own, ours in pairs), (0.0, 1.0))
    if agreement is None:
        return None
    right, wrong = (sum(own is told and ours is not told for _, own, ours in pairs) for told in (True, False))
    return OwnVerdicts(name, len(pairs) - right - wrong, len(pairs), right, wrong, agreement)


def _holds(row: Graded, name: str) -> bool:
    """Some number of the list is a verdict; True and False are, too."""
    told = recorded(row).get(name)
    return isinstance(told, list) and any(own in (0, 1) for own in told)


def _binary(rows: Iterable[Graded], name: str) -> bool:
    """No number of any list is anything but a verdict."""
    return all(own in (0, 1) for row in rows for own in (recorded(row).get(name) or ()) if own is not None)


def _pairs(row: Graded, name: str) -> Iterator[tuple[bool, bool]]:
    """The file's verdict and ours of each candidate that has both."""
    told = recorded(row).get(name)
    for candidate, ours in zip(row.outcome.candidates, row.candidates or (), strict=False):
        own = told[candidate.index] if isinstance(told, list) and candidate.index < len(told) else None
        if own in (0, 1):
            yield bool(own), ours
