"""Student's t distribution for whole degrees of freedom."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL_FROM = 400  # degrees of freedom; beyond, the normal tail of a corrected value is right to 1e-6


def t_tail(t: float, df: int) -> float:
    """The chance of a value at least as far from 0, on either side (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    if df > _NORMAL_FROM:
        z = abs(t) * (1 - 1 / (4 * df)) / math.sqrt(1 + t * t / (2 * df))
        return 2 * NormalDist().cdf(-z)
    theta = math.atan2(abs(t), math.sqrt(df))
    squared = math.cos(theta) ** 2
    even = df % 2 == 0
    term, terms = (1.0, [1.0]) if even else (math.cos(theta), [math.cos(theta)] if df > 1 else [])
    for step in range(2 if even else 3, df - 1, 2):
        term *= squared * (step - 1) / step
        terms.append(term)
    inside = math.sin(theta) * math.fsum(terms)
    return max(0.0, 1 - (inside if even else 2 / math.pi * (theta + inside)))


@lru_cache(maxsize=4096)
def t_quantile(tail: float, df: int) -> float:
    """The t that is exceeded, on either side, with this chance: 0.05 gives the factor of a 95 % interval."""
    low, high = 0.0, -NormalDist().inv_cdf(tail / 2) + 1
    while t_tail(high, df) > tail:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, df) > tail else (low, middle)
    return (low + high) / 2
