"""What is gained by leaving unsure decisions to somebody else: risk against coverage.

A decision is *covered* if it is among the surest share; risk is how many of these are wrong (El-Yaniv and Wiener 2010).
Decisions of equal confidence are in no order, so every number is the mean over all orders of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tts.metrics.calibration import Told
from tts.metrics.estimate import Estimate, clustered_mean, share_interval

if TYPE_CHECKING:
    from tts.metrics.curves import Floats

COVERAGES = (0.5, 0.8, 0.9)
_PARTS = 200  # of the problems, each left out once: of 200 problems or fewer, one at a time


class Risk(NamedTuple):
    """The area under the curve of risk against coverage (AURC), 0 the best.

    `random` is what it would be if confidence told nothing, `best` if all that is right came first.
    """

    area: Estimate
    random: float
    best: float


def area_under_risk(told: Sequence[Told]) -> Risk:
    """AURC (Geifman and El-Yaniv 2017): the mean, over how many of the surest are covered, of their risk.

    The interval is that of a share, from the variance that leaving out problems shows (a jackknife).
    """
    import numpy as np

    ordered = sorted(told, key=lambda one: -one.confidence)
    wrong = np.array([not one.correct for one in ordered], dtype=float)
    values = np.array([one.confidence for one in ordered])
    ties = np.concatenate([[0], np.cumsum(np.diff(values) != 0)])
    problems = {problem: place for place, problem in enumerate(dict.fromkeys(one.problem for one in told))}
    parts = min(len(problems), _PARTS)
    part = np.array([problems[one.problem] % parts for one in ordered])
    area, errors = _area(wrong, ties), int(wrong.sum())
    if parts < 2:
        found = Estimate(area, 0.0, 1.0, len(problems), len(told))
    else:
        pseudo = np.array([parts * area - (parts - 1) * _area(wrong[part != p], ties[part != p]) for p in range(parts)])
        variance = float(((pseudo - pseudo.mean()) ** 2).sum()) / parts**2
        low, high = share_interval(area, variance * len(problems) ** 2, len(problems))
        found = Estimate(area, min(low, area), max(high, area), len(problems), len(told))
    best = _area(np.concatenate([np.zeros(len(told) - errors), np.ones(errors)]), np.arange(len(told)))
    return Risk(found, errors / len(told), best)


def _area(wrong: Floats, ties: Any) -> float:
    """Of decisions from the surest, numbered by their ties."""
    import numpy as np

    among = np.bincount(ties, wrong)[ties] / np.bincount(ties)[ties]
    return float((np.cumsum(among) / np.arange(1, len(wrong) + 1)).mean())


def accuracy_at(told: Sequence[Told], coverage: float) -> Estimate:
    """Selective accuracy: that of the surest share of the decisions; the share that is kept is taken as given.

    Of equal confidences, of which only some are kept, each counts in part.
    """
    left, kept = coverage * len(told), list[tuple[Told, float]]()
    by_confidence: dict[float, list[Told]] = {}
    for one in told:
        by_confidence.setdefault(one.confidence, []).append(one)
    for confidence in sorted(by_confidence, reverse=True):
        own = by_confidence[confidence]
        if left <= 1e-9:
            break
        kept += [(one, min(left / len(own), 1.0)) for one in own]
        left -= len(own)
    values = [(one.problem, float(one.correct)) for one, _ in kept]
    found = clustered_mean(values, (0.0, 1.0), [weight for _, weight in kept])
    assert found is not None
    return found._replace(n=round(math.fsum(weight for _, weight in kept)))
