"""Knockout@k: accuracy of a tournament over k of n candidates, from verdicts on all pairs of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tts.metrics.curves import Subsets
from tts.vocabulary.records import Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def knockout_at_k(wins: ArrayLike, correct: ArrayLike, *, brackets: int = 200, seed: int = 0) -> Subsets:
    """Accuracy of a knockout (arXiv 2505.14674) over k candidates, for every k up to n, by resampled brackets.

    `wins[p, i, j]` is the chance that candidate i of problem p sends candidate j home: 1, 0, or 0.5 for a coin, so that
    `wins[p, i, j] + wins[p, j, i]` is 1; `correct` is problems × n. Each bracket is a random subset of k in random
    pairs, anew in every round, and where a round has an odd number its last one waits. Seeded; `error` is the Monte
    Carlo standard error over so many brackets. Exact for k = 1, which is the mean, whatever is drawn.
    """
    import numpy as np

    beats, hits, rng = np.asarray(wins, dtype=float), np.asarray(correct, dtype=float), np.random.default_rng(seed)
    problems, n = hits.shape
    mean, error = np.zeros((problems, n)), np.zeros((problems, n))
    for row in range(problems):
        order = rng.permuted(np.tile(np.arange(n), (brackets, 1)), axis=1)
        for k in range(2, n + 1):
            won = hits[row][_winners(beats[row], order[:, :k], rng)]
            mean[row, k - 1] = won.mean()
            error[row, k - 1] = won.std(ddof=1) / math.sqrt(brackets) if brackets > 1 else 0.0
    mean[:, 0] = hits.mean(axis=1)
    return Subsets(mean, error)


def _winners(beats: Floats, standing: NDArray[np.int64], rng: Any) -> NDArray[np.int64]:
    """The last one of each row; `standing` has a set of candidates in each."""
    import numpy as np

    while standing.shape[1] > 1:
        standing = rng.permuted(standing, axis=1)
        paired = standing.shape[1] // 2 * 2
        a, b = standing[:, 0:paired:2], standing[:, 1:paired:2]
        won = rng.random(a.shape) < beats[a, b]
        standing = np.concatenate([np.where(won, a, b), standing[:, paired:]], axis=1)
    return standing[:, 0]


def recorded_wins(result: Result, k: int) -> Floats | None:
    """Who sends whom home, k × k, from the trace of a round robin; `None` where it has no verdicts on all pairs.

    A match goes to whom more of its verdicts name; without a majority, or between equal answers, to a coin. A candidate
    that was left out, having nothing to show, loses to all who were not.
    """
    import numpy as np

    matches = result.decision.trace.get("matches") if result.decision else None
    if not isinstance(matches, Sequence) or not all(isinstance(one, Mapping) and "votes" in one for one in matches):
        return None
    strengths = result.decision.trace.get("strengths", []) if result.decision else []
    players = {int(index) for index, _ in strengths}
    if len(matches) != math.comb(len(players), 2) or not players:
        return None
    wins = np.full((k, k), 0.5)
    for index in players:
        for other in set(range(k)) - players:
            wins[index, other], wins[other, index] = 1.0, 0.0
    for match in matches:
        votes = match["votes"] or []
        lead = votes.count("a") - votes.count("b")
        a, b = match["a"], match["b"]
        wins[a, b] = 1.0 if lead > 0 else 0.0 if lead < 0 else 0.5
        wins[b, a] = 1 - wins[a, b]
    return wins
