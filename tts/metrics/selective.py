"""What is gained by leaving unsure decisions to somebody else: risk against coverage.

A decision is *covered* if it is among the surest share; risk is how many of these are wrong (El-Yaniv and Wiener 2010).
Decisions of equal confidence are in no order, so every number is the mean over all orders of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tts.metrics.calibration import Told
from tts.metrics.estimate import Estimate, share_interval

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


class _Ranked(NamedTuple):
    """Decisions from the surest: whether each is wrong, which are tied, to which part of the problems it belongs."""

    wrong: Floats
    ties: Any
    part: Any
    parts: int
    problems: list[str]


def area_under_risk(told: Sequence[Told]) -> Risk:
    """AURC (Geifman and El-Yaniv 2017): the mean, over how many of the surest are covered, of their risk.

    The interval is that of a share, from the variance that leaving out problems shows (a jackknife).
    """
    import numpy as np

    ranked = _ranked(told)
    errors = int(ranked.wrong.sum())
    found = _interval(ranked, lambda risk: float((risk[1:] / np.arange(1, len(risk))).mean()), len(told))
    best = np.cumsum(np.concatenate([np.zeros(len(told) - errors), np.ones(errors)])) / np.arange(1, len(told) + 1)
    return Risk(found, errors / len(told), float(best.mean()))


def accuracy_at(told: Sequence[Told], coverage: float) -> Estimate:
    """Selective accuracy: that of the surest share of the decisions.

    Of equal confidences, of which only some are kept, each counts in part. The interval is that of a share, from the
    variance that leaving out problems shows: which decisions are among the surest is a matter of luck, too.
    """
    import numpy as np

    def right(risk: Floats) -> float:
        kept = coverage * (len(risk) - 1)
        return 1 - float(np.interp(kept, np.arange(len(risk)), risk)) / kept

    return _interval(_ranked(told), right, coverage * len(told))


def _ranked(told: Sequence[Told]) -> _Ranked:
    import numpy as np

    ordered = sorted(told, key=lambda one: -one.confidence)
    values = np.array([one.confidence for one in ordered])
    places = {problem: place for place, problem in enumerate(dict.fromkeys(one.problem for one in told))}
    parts = min(len(places), _PARTS)
    return _Ranked(
        wrong=np.array([not one.correct for one in ordered], dtype=float),
        ties=np.concatenate([[0], np.cumsum(np.diff(values) != 0)]),
        part=np.array([places[one.problem] % parts for one in ordered]),
        parts=parts,
        problems=[one.problem for one in ordered],
    )


def _wrong_among(wrong: Floats, ties: Any) -> Floats:
    """How many of the surest 0, 1, 2 … are wrong, in the mean over all orders of what is tied."""
    import numpy as np

    among = np.bincount(ties, wrong)[ties] / np.bincount(ties)[ties]
    return np.concatenate([[0.0], np.cumsum(among)])


def _interval(ranked: _Ranked, value: Callable[[Floats], float], kept: float) -> Estimate:
    """A number of the curve with its interval; `kept` decisions are in it."""
    import numpy as np

    mean = min(max(value(_wrong_among(ranked.wrong, ranked.ties)), 0.0), 1.0)
    problems, parts = len(set(ranked.problems)), ranked.parts
    if parts < 2:
        return Estimate(mean, 0.0, 1.0, problems, round(kept))
    without = [ranked.part != part for part in range(parts)]
    left = np.array([value(_wrong_among(ranked.wrong[one], ranked.ties[one])) for one in without])
    variance = float(((left - left.mean()) ** 2).sum()) * (parts - 1) / parts
    there = len(set(ranked.problems[: math.ceil(kept - 1e-9)]))
    low, high = share_interval(mean, variance * there**2, there)
    return Estimate(mean, min(low, mean), max(high, mean), problems, round(kept))
