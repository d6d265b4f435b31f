"""Whether decisions are right as often as they are sure: the expected calibration error, with its interval.

The error over bins is an absolute value, so noise alone makes it large: ten bins of ten decisions of a strategy that is
perfectly calibrated show one of 10 points and more. So it is told for which true error the one seen would be usual,
and the interval holds all true errors for which it would not be unusual. `benchmarks/confidence.py` shows what that
covers, beside what else is done.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

from tts.metrics.difference import difference
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.student import t_quantile

_NEVER_0 = 0.4  # standard errors: of those tried, what covers best where no gap is larger than noise
MOST_BINS = 10
LEAST = 10  # decisions in a bin
LEAST_PROBLEMS = 5  # in a bin


class Told(NamedTuple):
    """One decision with the confidence that it told, and whether it is right."""

    problem: str
    confidence: float
    correct: bool


class Bin(NamedTuple):
    """Decisions of nearly the same confidence, `low` to `high`, in the mean `confidence`, with how many are right."""

    low: float
    high: float
    confidence: float
    accuracy: Estimate


class _Gaps(NamedTuple):
    """The bins' shares of decisions, how far their confidence is above their accuracy, the standard errors of that.

    `joint` is the covariance of two bins, by their places: groups of one problem are in several bins. `true` is the
    shape of the true gaps, as far as it can be told from noise.
    """

    weights: list[float]
    gaps: list[float]
    errors: list[float]
    joint: dict[tuple[int, int], float]

    @property
    def shape(self) -> list[float]:
        """How large true gaps are beside each other: what is seen of each less the part of noise, never nothing."""
        return [math.sqrt(max(g * g - e * e, 0.0)) + _NEVER_0 * e for g, e in zip(self.gaps, self.errors, strict=True)]


def bins_of(told: Sequence[Told]) -> list[list[Told]]:
    """Up to ten bins of about equally many decisions, at least ten of five problems; equal confidences stay together.

    So a vote of four candidates, which has four values, has a bin for each that is not rare.
    """
    ordered = sorted(told, key=lambda one: (one.confidence, one.problem))
    size = max(len(told) / MOST_BINS, LEAST)
    found: list[list[Told]] = [[]]
    for place, one in enumerate(ordered):
        if place and one.confidence > ordered[place - 1].confidence and _full(found[-1], size):
            found.append([])
        found[-1].append(one)
    if len(found) > 1 and not _full(found[-1], LEAST):
        last = found.pop()
        found[-1].extend(last)
    return found


def _full(own: Sequence[Told], size: float) -> bool:
    return len(own) >= size and len({one.problem for one in own}) >= LEAST_PROBLEMS


def reliability(told: Sequence[Told]) -> list[Bin]:
    """The bins with their accuracy: what a reliability diagram shows."""
    found = []
    for own in bins_of(told):
        accuracy = clustered_mean(((one.problem, float(one.correct)) for one in own), (0.0, 1.0))
        assert accuracy is not None
        mean = math.fsum(one.confidence for one in own) / len(own)
        found.append(Bin(own[0].confidence, own[-1].confidence, mean, accuracy))
    return found


def expected_calibration_error(told: Sequence[Told]) -> Estimate:
    """The mean distance of confidence and accuracy over bins, corrected for what noise adds, with a 95 % interval.

    Naeini, Cooper and Hauskrecht (2015) with bins of equal mass. Gaps of bins are taken as normal, with the clustered
    standard error of a paired difference; what is seen is compared with what true gaps of the same shape, smaller or
    larger, would show. The lower end is 0 where no gap at all would show as much.
    """
    found = _gaps(bins_of(told))
    problems = len({one.problem for one in told})
    seen = math.fsum(w * abs(g) for w, g in zip(found.weights, found.gaps, strict=True))
    if problems < 2 or not all(map(math.isfinite, found.errors)):
        return Estimate(seen, 0.0, 1.0, problems, len(told))
    factor = t_quantile(0.05, problems - 1)
    mean, low, high = (_true(found, seen, of) for of in (0.0, factor, -factor))
    return Estimate(mean, min(low, mean), max(high, mean), problems, len(told))


def _gaps(bins: Sequence[Sequence[Told]]) -> _Gaps:
    of = sum(map(len, bins))
    gaps, errors, moved = [], [], list[dict[str, float]]()
    for own in bins:
        found = difference((one.problem, one.confidence - one.correct) for one in own)
        assert found is not None
        gaps.append(found.mean)
        errors.append(found.error)
        sums: dict[str, float] = defaultdict(float)
        for one in own:
            sums[one.problem] += (one.confidence - one.correct - found.mean) / len(own)
        moved.append(sums)
    joint = {
        (a, b): math.fsum(moved[a][problem] * moved[b][problem] for problem in moved[a].keys() & moved[b].keys())
        for a, b in combinations(range(len(bins)), 2)
    }
    return _Gaps([len(own) / of for own in bins], gaps, errors, joint)


def _true(found: _Gaps, seen: float, deviations: float) -> float:
    """The true error with which what is seen would lie so many standard deviations above the mean of what is shown."""
    shape = found.shape

    def shown(scale: float) -> float:
        mean, deviation = _law(found, [scale * one for one in shape])
        return mean + deviations * deviation - seen

    if shown(0.0) >= 0:
        return 0.0
    scale = _root(shown)
    return min(math.fsum(w * scale * one for w, one in zip(found.weights, shape, strict=True)), 1.0)


def _law(found: _Gaps, gaps: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of the error over bins whose true gaps are these: sums of folded normals."""
    total, variance, leans = [], [], []
    for weight, gap, error, seen in zip(found.weights, gaps, found.errors, found.gaps, strict=True):
        at = gap / error
        folded = error * math.sqrt(2 / math.pi) * math.exp(-(at**2) / 2) + gap * math.erf(at / math.sqrt(2))
        total.append(weight * folded)
        variance.append(weight**2 * max(gap**2 + error**2 - folded**2, 0.0))
        leans.append(math.copysign(weight * math.erf(at / math.sqrt(2)), seen))
    variance += [2 * leans[a] * leans[b] * one for (a, b), one in found.joint.items()]
    return math.fsum(total), math.sqrt(max(math.fsum(variance), 0.0))


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    while rising(high) < 0 and high < 1e9:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return high
