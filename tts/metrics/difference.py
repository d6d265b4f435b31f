"""A paired difference, with the one interval that every verdict goes by."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from tts.metrics.estimate import Estimate, clustered_mean, clusters
from tts.metrics.student import t_quantile, t_tail

ALPHA = 0.05
POWER = 0.8
_ROUNDING = 1e-12  # what is smaller comes of floating point
FEW = 12  # problems; below, one more that differs is added, so that not even five of five tell


class Detectable(NamedTuple):
    """The smallest difference that so many problems show in four of five trials, as points of 1; prints as points.

    It hangs on how often the strategies differ, which is only known within an interval: `low` and `high` are what it
    is at the ends of that.
    """

    difference: float
    low: float
    high: float
    problems: int

    def __str__(self) -> str:
        shown = f"{100 * self.difference:.1f} points ({100 * self.low:.1f} … {100 * self.high:.1f})"
        return f"{self.problems:,} problems show a difference of {shown} in 4 of 5 trials"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return self._asdict()


class Difference(NamedTuple):
    """The mean of paired differences, each problem's own within −1 … 1, with its standard error.

    `spread` is how often and how much problems differ: the mean of their squared differences. `step` is how much a
    problem that differs does, as the root of their mean square. The error is that of Student's t with two more problems
    that differ by one step, one each way: what few problems cannot rule out.
    """

    mean: float
    error: float
    spread: Estimate
    step: float
    problems: int
    n: int

    def interval(self, asked: int = 1) -> Estimate:
        """The 95 % interval; with so many differences `asked` about at once, wide enough that all hold (Bonferroni)."""
        if self.problems < 2:
            return Estimate(self.mean, -1.0, 1.0, self.problems, self.n)
        half = t_quantile(ALPHA / asked, self.problems - 1) * self.error
        return Estimate(self.mean, max(self.mean - half, -1.0), min(self.mean + half, 1.0), self.problems, self.n)

    @property
    def p(self) -> float:
        """The chance of a difference as large where there is none: 5 % where an end of the interval is at 0."""
        return t_tail(self.mean / self.error, self.problems - 1) if self.problems > 1 else 1.0

    def detectable(self, asked: int = 1) -> Detectable | None:
        """What so many problems would show with 80 % power; `None` for a single problem."""
        if self.problems < 2:
            return None
        least, most = (self._shown(spread, asked) for spread in (self.spread.low, self.spread.high))
        return Detectable(self._shown(self.spread.mean, asked), least, most, self.problems)

    def _shown(self, spread: float, asked: int) -> float:
        """The δ with δ = (t(α) + t(power)) · error(δ), where problems differ as often as `spread` says, or δ asks."""
        m = self.problems
        factor = t_quantile(ALPHA / asked, m - 1) + t_quantile(2 * (1 - POWER), m - 1)
        low, high = 0.0, 1.0
        for _ in range(50):
            delta = (low + high) / 2
            squares = m * max(spread, delta * self.step) - m * delta**2
            error = math.sqrt((max(squares, 0.0) + _added(m) * self.step**2) / (m * (m - 1)))
            low, high = (delta, high) if delta < factor * error else (low, delta)
        return high


def difference(observations: Iterable[tuple[str, float]]) -> Difference | None:
    """The mean of (problem id, difference) observations, clustered by problem; `None` for no observation."""
    found = clusters(observations)
    if found is None:
        return None
    mean, values, n = found
    m = len(values)
    differing = [value for value in values if abs(value) > _ROUNDING]
    step = math.sqrt(math.fsum(value**2 for value in differing) / len(differing)) if differing else 1.0
    squares = math.fsum((value - mean) ** 2 for value in values) + _added(m) * step**2
    error = math.sqrt(squares / (m * (m - 1))) if m > 1 else math.inf
    spread = clustered_mean(((str(place), min(value**2, 1.0)) for place, value in enumerate(values)), (0.0, 1.0))
    assert spread is not None
    mean = mean if abs(mean) > _ROUNDING else 0.0  # no "-0.0"
    return Difference(mean, error, spread, min(step, 1.0), m, n)


def clustered_difference(observations: Iterable[tuple[str, float]]) -> Estimate | None:
    """The mean of (problem id, difference) observations within −1 … 1, with its 95 % interval; `None` for none.

    Student's t over problems, with two more problems that differ added to the sum of squares, one each way and by as
    much as those that differ do, so that no interval is of zero width (three below twelve problems). After Bonett and
    Price (2012) for yes and no; `benchmarks/calibration.py` shows what it covers.
    """
    found = difference(observations)
    return None if found is None else found.interval()


def _added(problems: int) -> int:
    return 3 if problems < FEW else 2
