"""Estimates with intervals clustered by problem."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

Z95 = 1.959963984540054


class Estimate(NamedTuple):
    """A mean with its 95 % interval; `problems` clusters and `n` observations made it."""

    mean: float
    low: float
    high: float
    problems: int
    n: int

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2


def clustered_mean(
    observations: Iterable[tuple[str, float]], bounds: tuple[float, float] = (-math.inf, math.inf)
) -> Estimate | None:
    """The mean of (problem id, value) observations; `None` for no observation.

    Observations of one problem are not independent, so the variance is that of the ratio estimator over problems
    (Cochran, Sampling Techniques, 3rd ed., section 6.4), with the normal quantile, cut at `bounds`. One problem gives
    the widest interval there is.
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
    half = Z95 * math.sqrt(m / (m - 1) * residuals) / n
    return Estimate(mean, max(mean - half, bounds[0]), min(mean + half, bounds[1]), m, n)
