"""What a vote, or a score, decides on each subset of k candidates: of joint outcomes curves only have the means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tts.vocabulary.records import CurveName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LISTED = 2000  # subsets of one problem; more are drawn by lot, as many
DECIDED: tuple[CurveName, ...] = ("pass@1", "maj@k", "BoN@k", "weighted maj@k")


def subsets_of(n: int, k: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Every choice of k of n places, one a row; where there are more than 2,000, so many drawn by lot."""
    import numpy as np

    if math.comb(n, k) <= LISTED:
        rows: list[list[int]] = [[]]
        for _ in range(k):
            rows = [[*row, i] for row in rows for i in range(row[-1] + 1 if row else 0, n)]
        return np.array(rows, dtype=np.int64).reshape(len(rows), k)
    rng = np.random.default_rng(seed)
    return np.argsort(rng.random((LISTED, n)), axis=1)[:, :k]


def decided_on(
    name: CurveName, chosen: Any, labels: Sequence[int], correct: Sequence[bool], scores: Sequence[float]
) -> Floats:
    """How right a strategy with this curve is on each of the chosen subsets, ties averaged over what is tied.

    `labels` are the classes of all n answers, −1 for no answer; a subset without any is wrong for a vote.
    """
    import numpy as np

    hits = np.asarray(correct, dtype=float)
    if name == "pass@1":
        mean: Floats = hits[chosen].mean(axis=1)
        return mean
    if name == "BoN@k":
        return _best(np.nan_to_num(np.asarray(scores, dtype=float), nan=-np.inf)[chosen], hits[chosen])
    weights = np.ones(len(hits)) if name == "maj@k" else np.nan_to_num(np.asarray(scores, dtype=float))
    return _voted(np.asarray(labels), weights, hits, chosen)


def _best(scores: Floats, hits: Floats) -> Floats:
    tied = scores == scores.max(axis=1, keepdims=True)
    best: Floats = (tied * hits).sum(axis=1) / tied.sum(axis=1)
    return best


def _voted(labels: ArrayLike, weights: Floats, hits: Floats, chosen: Any) -> Floats:
    import numpy as np

    classes = np.asarray(labels)
    known = np.unique(classes[classes >= 0])
    if not len(known):
        return np.zeros(len(chosen))
    member = (classes[:, None] == known).astype(float)
    value = member.T @ hits / member.sum(axis=0)  # a class counts as right as far as its members are
    taken = np.zeros((len(chosen), len(hits)))
    np.put_along_axis(taken, chosen, 1.0, axis=1)
    count, sums = taken @ member, taken @ (member * weights[:, None])
    led = np.where(count > 0, sums, -np.inf)
    best = led.max(axis=1, keepdims=True)
    slack = 1e-9 * np.abs(np.where(np.isfinite(best), best, 0.0))
    tied = (count > 0) & (led >= best - slack)
    won: Floats = tied @ value / np.maximum(tied.sum(axis=1), 1)
    return won
