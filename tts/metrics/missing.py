"""What of a run is missing, how much, why: the count that ends a command with a status."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tts.vocabulary.errors import ConfigError, IncompleteError
from tts.vocabulary.outcome_class import OutcomeClass, is_missing, is_there
from tts.vocabulary.records import Candidate, Result

_REASONS = 3  # told in a sentence; the rest is counted
_TOLERANCE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*")
MaxFailed = int | str
"""How many problems may be incomplete: a number, or a share of them such as "5%"."""


class Missing(NamedTuple):
    """What should be there and is not; prints as a sentence.

    A problem is incomplete where a candidate or a decision of it is missing: refused, or failed. `candidates` and
    `decisions` count what was asked for, `candidates_missing` and `decisions_missing` what of it is missing. `reasons`
    say why, with how often each was said, the most frequent first.
    """

    problems: int
    incomplete: int
    candidates: int
    candidates_missing: int
    decisions: int = 0
    decisions_missing: int = 0
    reasons: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        if not self.incomplete:
            return "nothing is missing"
        kinds = (("candidate", self.candidates, self.candidates_missing),
                 ("decision", self.decisions, self.decisions_missing))  # fmt: skip
        counted = [
            f"{lost:,} of {of:,} {noun}{'' if of == 1 else 's'} {'is' if lost == 1 else 'are'} missing"
            for noun, of, lost in kinds
            if lost
        ]
        problems = f"{self.incomplete:,} of {self.problems:,} problem{'' if self.problems == 1 else 's'}"
        return f"{problems} {'is' if self.incomplete == 1 else 'are'} incomplete: {', '.join(counted)}{self._why()}"

    def _why(self) -> str:
        told = [f"{count:,}× {reason}" for reason, count in self.reasons[:_REASONS]]
        rest = sum(count for _, count in self.reasons[_REASONS:])
        told += [f"{rest:,}× for other reasons"] if rest else []
        return f" ({'; '.join(told)})" if told else ""

    def exceeds(self, max_failed: MaxFailed = 0) -> bool:
        """Whether more problems are incomplete than tolerated: a number, or a share of them such as "5%"."""
        return self.incomplete > tolerated(max_failed, self.problems)

    def check(self, max_failed: MaxFailed = 0) -> None:
        """Raise `IncompleteError` where more problems are incomplete than tolerated."""
        if self.exceeds(max_failed):
            raise IncompleteError(
                f"{self}; run the same again: with a store only what is missing is asked for "
                f"(max_failed={max_failed} says how many problems may be incomplete)"
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return self._asdict() | {"reasons": dict(self.reasons)}


def tolerated(max_failed: MaxFailed, problems: int) -> int:
    """How many of the problems may be incomplete; raises `ConfigError` for what is no number and no share."""
    found = _TOLERANCE.fullmatch(str(max_failed))
    number = float(found[1]) if found and not isinstance(max_failed, bool) else -1.0
    share = bool(found and found[2])
    if number < 0 or (share and number > 100) or not (share or number.is_integer()):
        raise ConfigError(f"max_failed={max_failed!r}: give a number of problems such as 3, or a share such as '5%'")
    return math.floor(problems * number / 100 + 1e-9) if share else int(number)


def reasons_of(candidates: Iterable[Candidate], results: Iterable[Result]) -> tuple[tuple[str, int], ...]:
    """Why what is missing is missing, the most frequent reason first.

    What strategies could not decide for want of candidates has the candidates' reasons, and is not told twice.
    """
    told = Counter(one.error for one in candidates if one.error is not None)
    for result in results:
        if is_missing(result) and not _for_want_of_candidates(result):
            told[without_problem(result)] += 1
    return tuple(sorted(told.items(), key=lambda pair: -pair[1]))


def without_problem(result: Result) -> str:
    """Its error without the name of the problem, so that those of several problems are one reason."""
    name = repr(result.problem.id)
    sentence = (result.error or "").replace(f" of problem {name}", "").replace(f" on problem {name}", "")
    return f"{result.provenance.strategy}: {sentence}"


def _for_want_of_candidates(result: Result) -> bool:
    return bool(result.candidates) and not any(one.ok for one in result.candidates)


def missing_of_sets(sets: Iterable[Iterable[Candidate]]) -> Missing:
    """What is missing of candidate sets, one for each problem."""
    listed = [list(one) for one in sets]
    lost = [[one for one in own if not is_there(one)] for own in listed]
    every = [one for own in lost for one in own]
    return Missing(
        problems=len(listed),
        incomplete=sum(map(bool, lost)),
        candidates=sum(map(len, listed)),
        candidates_missing=len(every),
        reasons=reasons_of(every, ()),
    )


def told_classes(counts: Mapping[OutcomeClass, int], of: Iterable[OutcomeClass]) -> str:
    """`12 refused, 9 failed`: those that occur."""
    return ", ".join(f"{counts[name]:,} {name}" for name in of if counts.get(name))
