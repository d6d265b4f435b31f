"""Every two strategies against each other on the same groups of candidates."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any, Literal, NamedTuple

from tts.metrics.difference import Detectable, Difference, difference
from tts.metrics.estimate import Estimate
from tts.metrics.tables import counted

PAIRS = "Pairs: same groups, 95 % intervals, p for all pairs at once"
Verdict = Literal["better", "worse", "cannot tell"]


class Pair(NamedTuple):
    """How two strategies differ on the same groups; prints as one line.

    `difference` is accuracy of `a` minus accuracy of `b` with its 95 % interval (`tts.eval.clustered_difference`),
    `among` the same with the interval that holds for all `pairs` asked about together (Bonferroni). The verdict is
    whether `among` leaves 0 out, and nothing else. `more` problems went better with `a`, `fewer` with `b`. `p` is where
    an end of the interval would be at 0, `adjusted` that times the number of pairs. `detectable` is the smallest
    difference that so many problems show; `None` for a single one.
    """

    a: str
    b: str
    difference: Estimate
    more: int
    fewer: int
    p: float
    adjusted: float
    verdict: Verdict
    among: Estimate
    pairs: int = 1
    detectable: Detectable | None = None

    def __str__(self) -> str:
        found = self.difference
        better = f"better on {counted(self.more, 'problem')} and worse on {self.fewer}"
        seen = f"{self.interval}, {better}, p = {self.adjusted:.2g}"
        if self.verdict != "cannot tell":
            return f"{self.a} is {self.verdict} than {self.b}: {seen}"
        return (
            f"{self.a} and {self.b}: cannot tell with {counted(found.problems, 'problem')}: {seen}; {self.would_tell}"
        )

    @property
    def interval(self) -> str:
        """The difference in points with its interval, and with that for all pairs where there are several."""
        shown = f"{100 * self.difference.mean:+.1f} points ({_bounds(self.difference)}"
        return f"{shown}; {_bounds(self.among)} for all {self.pairs} pairs at once)" if self.pairs > 1 else f"{shown})"

    @property
    def would_tell(self) -> str:
        """The smallest difference that so many problems show, in words."""
        return "one problem shows no difference" if self.detectable is None else str(self.detectable)

    @property
    def needed(self) -> int | None:
        """Deprecated, and `None`: problems needed for the difference seen is a power that says no more than `p`."""
        warnings.warn(_NO_NEEDED.format("needed"), DeprecationWarning, stacklevel=2)
        return None

    @property
    def samples(self) -> int | None:
        """Deprecated, and `None`, as `needed`."""
        warnings.warn(_NO_NEEDED.format("samples"), DeprecationWarning, stacklevel=2)
        return None

    def turned(self) -> Pair:
        """The same pair seen from the other strategy."""
        words: dict[Verdict, Verdict] = {"better": "worse", "worse": "better", "cannot tell": "cannot tell"}
        return self._replace(
            a=self.b,
            b=self.a,
            difference=_negated(self.difference),
            among=_negated(self.among),
            more=self.fewer,
            fewer=self.more,
            verdict=words[self.verdict],
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        told = {name: getattr(self, name) for name in ("difference", "among", "detectable")}
        return self._asdict() | {name: None if one is None else one.to_dict() for name, one in told.items()}


_NO_NEEDED = "Pair.{} is None and ends in release 0.3: use Pair.detectable, or `tts plan` before a run"


def compare_pairs(
    problems: Sequence[str], shares: Mapping[str, Sequence[Fraction | None]], *, k: int = 1, seed: int = 0
) -> list[Pair]:
    """Every pair of strategies, in the order given, on the groups that both have; a pair without any is left out.

    `shares` has for each strategy and group the share of its outputs that are correct, `None` where it is missing;
    `problems` names the problem of each group. Groups of one problem stay together. `k` and `seed` are not used any
    more: nothing is drawn, and power is not computed from what was seen.
    """
    del k, seed
    observed = {}
    for a, b in combinations(shares, 2):
        both = [
            (problem, ours - theirs)
            for problem, ours, theirs in zip(problems, shares[a], shares[b], strict=True)
            if ours is not None and theirs is not None
        ]
        observed[a, b] = both
    return pairs_of(observed)


def pairs_of(observed: Mapping[tuple[str, str], Sequence[tuple[str, Fraction | float]]]) -> list[Pair]:
    """A pair for each two strategies with (problem, difference) observations, judged together."""
    found: dict[tuple[str, str], Difference] = {}
    for names, both in observed.items():
        ordered = sorted((problem, float(one)) for problem, one in both)  # the same sum whatever the order
        if (one := difference(ordered)) is not None:
            found[names] = one
    return [_pair(a, b, one, len(found), observed[a, b]) for (a, b), one in found.items()]


def _pair(a: str, b: str, one: Difference, pairs: int, both: Sequence[tuple[str, Fraction | float]]) -> Pair:
    among = one.interval(pairs)
    verdict: Verdict = "better" if among.low > 0 else "worse" if among.high < 0 else "cannot tell"
    totals: dict[str, Fraction | float] = {}
    for problem, value in both:
        totals[problem] = totals.get(problem, 0) + value
    return Pair(
        a,
        b,
        one.interval(),
        sum(total > 1e-12 for total in totals.values()),
        sum(total < -1e-12 for total in totals.values()),
        one.p,
        min(1.0, pairs * one.p),
        verdict,
        among,
        pairs,
        one.detectable(pairs),
    )


def _bounds(found: Estimate) -> str:
    return f"{100 * found.low:+.1f} … {100 * found.high:+.1f}"


def _negated(found: Estimate) -> Estimate:
    return found._replace(mean=0.0 - found.mean, low=0.0 - found.high, high=0.0 - found.low)  # no "-0.0"
