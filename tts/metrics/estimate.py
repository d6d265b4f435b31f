"""Estimates with intervals clustered by problem."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import repeat
from statistics import NormalDist
from typing import Any, NamedTuple

from tts.metrics.student import t_quantile

Z95 = NormalDist().inv_cdf(0.975)


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
        if not self.bounded:
            return f"{100 * self.mean:.1f} % ({self.problems:,} problems that are all alike, which gives no interval)"
        bounds = f"{100 * self.low:.1f} to {100 * self.high:.1f}"
        return f"{100 * self.mean:.1f} % (95 % interval {bounds}; {self.problems:,} problems)"

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2

    @property
    def bounded(self) -> bool:
        """Whether the interval says anything: a single problem bounds nothing, nor do equal numbers without a limit."""
        return self.problems > 1 and math.isfinite(self.low) and math.isfinite(self.high)

    @classmethod
    def of_dict(cls, told: Mapping[str, Any]) -> Estimate:
        """What `to_dict` made."""
        low, high = told["interval"] or (-math.inf, math.inf)
        return cls(told["mean"], low, high, told["problems"], told["n"])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: mean, interval (`None` where nothing is bounded), problems and n."""
        interval = [self.low, self.high] if self.bounded else None
        return {"mean": self.mean, "interval": interval, "problems": self.problems, "n": self.n}


class Clusters(NamedTuple):
    """Observations put together by problem: `values` are what each problem's mean would be with as many as the mean.

    Their plain mean is the mean of all observations, and their variance that of the ratio estimator over problems
    (Cochran, Sampling Techniques, 3rd ed., section 6.4).
    """

    mean: float
    values: list[float]
    n: int


def clusters(observations: Iterable[tuple[str, float]], weights: Iterable[float] | None = None) -> Clusters | None:
    """The (problem id, value) observations by problem; `None` for no observation. All weigh 1 where nothing is said."""
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, float] = defaultdict(float)
    n = 0
    for (problem, value), weight in zip(observations, repeat(1) if weights is None else weights, strict=False):
        sums[problem] += weight * value
        counts[problem] += weight
        n += 1
    if n == 0:
        return None
    total = math.fsum(counts.values())
    mean, usual = math.fsum(sums.values()) / total, total / len(counts)
    return Clusters(mean, [mean + (sums[p] - mean * counts[p]) / usual for p in sums], n)


def clustered_mean(
    observations: Iterable[tuple[str, float]],
    bounds: tuple[float, float] = (-math.inf, math.inf),
    weights: Iterable[float] | None = None,
) -> Estimate | None:
    """The mean of (problem id, value) observations; `None` for no observation.

    `weights` say how much each counts. Observations of one problem are not independent, so the variance is over
    problems. Within finite `bounds`, as for shares, the interval is Agresti and Coull's (1998) for as many independent
    yes-or-no trials as the variance says that the problems are worth; `benchmarks/calibration.py` shows what it covers.
    Without bounds it is Student's t, and none where nothing differs. One problem gives the widest interval there is.
    Differences of two strategies are `tts.eval.clustered_difference`'s.
    """
    found = clusters(observations, weights)
    if found is None:
        return None
    mean, values, n = found
    m = len(values)
    if m == 1:
        return Estimate(mean, *bounds, m, n)
    squares = math.fsum((value - mean) ** 2 for value in values)
    low, high = bounds
    if math.isfinite(low) and math.isfinite(high):
        interval = share_interval((mean - low) / (high - low), squares / (high - low) ** 2, m)
        low, high = (low + (high - low) * one for one in interval)
        return Estimate(mean, min(low, mean), max(high, mean), m, n)
    half = t_quantile(0.05, m - 1) * math.sqrt(squares / (m - 1) / m) if squares else math.inf
    return Estimate(mean, max(mean - half, low), min(mean + half, high), m, n)


def share_interval(share: float, squares: float, problems: int) -> tuple[float, float]:
    """The 95 % interval of a share, from the sum of the problems' squared deviations from it.

    As many independent trials as give the same variance, of which one problem in all is taken to be a trial, since few
    problems may agree by luck; where all problems agree on 0 or 1, each is one trial.
    """
    alone = share * (1 - share)
    trials = alone * problems**2 / (squares + alone) if alone > 1e-12 else float(problems)
    added = trials + Z95**2
    centre = (trials * share + Z95**2 / 2) / added
    half = Z95 * math.sqrt(centre * (1 - centre) / added)
    return max(centre - half, 0.0), min(centre + half, 1.0)
