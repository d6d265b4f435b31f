"""Estimates with intervals clustered by problem."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

Z95 = 1.959963984540054
_EXACT_T95 = {1: 12.706204736432095, 2: 4.302652729911275, 3: 3.182446305284263}


class Estimate(NamedTuple):
    """A mean with its 95 % interval; `problems` clusters and `n` observations made it."""

    mean: float
    low: float
    high: float
    problems: int
    n: int

    def __str__(self) -> str:
        """In percent, as one would write it: `12.5 % (95 % interval -3.1 to 28.1; 8 problems)`."""
        if self.problems < 2:
            return f"{100 * self.mean:.1f} % (of one problem, which gives no interval)"
        bounds = f"{100 * self.low:.1f} to {100 * self.high:.1f}"
        return f"{100 * self.mean:.1f} % (95 % interval {bounds}; {self.problems:,} problems)"

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: mean, interval (`None` for a single problem, which bounds nothing), problems and n."""
        interval = [self.low, self.high] if self.problems > 1 else None
        return {"mean": self.mean, "interval": interval, "problems": self.problems, "n": self.n}


def clustered_mean(
    observations: Iterable[tuple[str, float]], bounds: tuple[float, float] = (-math.inf, math.inf)
) -> Estimate | None:
    """The mean of (problem id, value) observations; `None` for no observation.

    Observations of one problem are not independent, so the variance is that of the ratio estimator over problems
    (Cochran, Sampling Techniques, 3rd ed., section 6.4), with Student's t for one less than the number of problems, cut
    at `bounds`. Where all problems agree on a bound, that variance is 0 and says nothing: the interval is then Wilson's
    for a proportion of so many problems (Wilson 1927). One problem gives the widest interval there is.
    """
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for problem, value in observations:
        sums[problem] += value
        counts[problem] += 1
    n, m = sum(counts.values()), len(counts)
    if n == 0:
        return None
    mean = math.fsum(sums.values()) / n
    if m == 1:
        return Estimate(mean, *bounds, m, n)
    residuals = math.fsum((sums[p] - mean * counts[p]) ** 2 for p in sums)
    half = t95(m - 1) * math.sqrt(m / (m - 1) * residuals) / n
    low, high = max(mean - half, bounds[0]), min(mean + half, bounds[1])
    margin = (bounds[1] - bounds[0]) * Z95**2 / (m + Z95**2)  # Wilson's distance from an observed bound
    if half == 0 and mean == bounds[0]:
        high = mean + margin
    if half == 0 and mean == bounds[1]:
        low = mean - margin
    return Estimate(mean, low, high, m, n)


def t95(df: int) -> float:
    """The 0.975 quantile of Student's t; exact to 0.2 % (Abramowitz and Stegun, 26.7.5)."""
    if df in _EXACT_T95:
        return _EXACT_T95[df]
    z = Z95
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / float(df) ** power for power, term in enumerate(terms, 1))
