"""Accuracy against k: unbiased estimates for every k ≤ n from n candidates of each problem.

Each function takes rectangular arrays, problems × n candidates in any order, and returns problems × n: column k − 1 is
the mean over all C(n, k) subsets of k candidates. Ties are averaged over what is tied, in place of being broken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tts.metrics.estimate import Estimate, clustered_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

EXACT_VOTE = (
    512  # candidates; a vote over more is drawn by lot: the exact sum takes seconds a problem, and overflows at 1,030
)
EXACT_WEIGHTED = 12  # candidates; a vote over more is drawn by lot: its subsets cannot be counted, only listed


class Subsets(NamedTuple):
    """Estimates by problem and k; `error` is their Monte Carlo standard error, 0 where they are exact."""

    mean: Floats
    error: Floats


def pass_at_k(correct: ArrayLike) -> Floats:
    """Share of subsets with a correct candidate: 1 − C(n − c, k) / C(n, k) where c are correct.

    Chen et al. 2021, arXiv 2107.03374.
    """
    import numpy as np

    hits = np.asarray(correct, dtype=float)
    n = hits.shape[1]
    wrong, drawn = n - hits.sum(axis=1, keepdims=True), np.arange(n)
    missed: Floats = np.cumprod(np.clip((wrong - drawn) / (n - drawn), 0, None), axis=1)
    return 1 - missed


def g_pass_at_k(correct: ArrayLike, tau: float) -> Floats:
    """Share of subsets of k in which at least τ k candidates are correct, and at least one.

    Σ C(c, j) C(n − c, k − j) / C(n, k) over j from ⌈τ k⌉, where c are correct (arXiv 2412.13147): with a small τ
    pass@k, with 1 how often all k are. Exact.
    """
    import numpy as np

    hits = np.asarray(correct, dtype=float)
    n = hits.shape[1]
    choose, rights = _binomials(n), hits.sum(axis=1).astype(int)
    found = np.zeros((len(hits), n))
    for k in range(1, n + 1):
        least = max(1, math.ceil(tau * k - 1e-9))
        for j in range(least, k + 1):
            found[:, k - 1] += choose[rights, j] * choose[n - rights, k - j]
        found[:, k - 1] /= choose[n, k]
    return found


def best_of_at_k(scores: ArrayLike, correct: ArrayLike) -> Floats:
    """Accuracy of Best-of-N over k candidates: of those with the subset's highest score, the share that is correct.

    The candidate of rank i (from 0, lowest score first) is the best of C(i, k − 1) subsets; candidates of one score
    stand in for each other. A score of −inf is for what cannot be chosen unless nothing else can (Cobbe et al. 2021,
    arXiv 2110.14168, is the method; the estimator is the one of arXiv 2107.03374).
    """
    import numpy as np

    given, hits = np.asarray(scores, dtype=float), np.asarray(correct, dtype=float)
    problems, n = given.shape
    order = np.argsort(given, axis=1, kind="stable")
    ranked, hits = np.take_along_axis(given, order, 1), np.take_along_axis(hits, order, 1)
    new = np.ones((problems, n), dtype=bool)
    new[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    level = (np.cumsum(new) - 1).reshape(problems, n)  # numbers the levels of all problems through
    sums, sizes = np.bincount(level.ravel(), hits.ravel()), np.bincount(level.ravel())
    value = (sums / sizes)[level]
    share, ks = np.zeros((n, n)), np.arange(1, n + 1)  # share[i, k − 1] = C(i, k − 1) / C(n, k)
    share[n - 1] = ks / n
    for rank in range(n - 1, 0, -1):
        share[rank - 1] = share[rank] * np.clip(rank - ks + 1, 0, None) / rank
    best: Floats = value @ share
    return best


def maj_at_k(labels: ArrayLike, correct: ArrayLike, *, orders: int = 200, seed: int = 0) -> Subsets:
    """Accuracy of a majority vote over k candidates (Wang et al. 2022, arXiv 2203.11171).

    `labels` are the equivalence classes of the answers, whole numbers from 0, −1 for no answer, which is no vote. A
    class counts as right as far as its members are; subsets without a vote are wrong. Exact for n ≤ 512: the subsets
    are counted by dynamic programming over the classes (how many candidates are taken, how many classes lead), once for
    each size m of the leading classes; smaller classes only fill up. Beyond, as `weighted_maj_at_k` by lot.
    """
    import numpy as np

    classes = np.asarray(labels)
    n = classes.shape[1]
    if n > EXACT_VOTE:
        return weighted_maj_at_k(classes, np.ones(classes.shape), correct, orders=orders, seed=seed)
    counts, values = _classes(classes, np.asarray(correct, dtype=float))
    choose, total = _binomials(n), np.zeros((len(counts), n + 1))
    for m in range(1, int(counts.max(initial=0)) + 1):
        leaders = (counts >= m).sum(axis=1)
        rows = np.argsort(-leaders, kind="stable")[: np.count_nonzero(leaders)]
        total[rows] += _led_by(m, counts[rows], values[rows], leaders[rows], choose)
    mean = total[:, 1:] / choose[n, 1:]
    return Subsets(mean, np.zeros_like(mean))


def _led_by(m: int, counts: Floats, values: Floats, leaders: Floats, choose: Floats) -> Floats:
    """Σ over subsets whose leading classes have m votes of the mean correctness of those classes, by subset size.

    Rows come by falling number of classes that can lead, and classes by falling size. `ways[0]` counts the choices from
    the classes so far by (how many lead, how many are taken), `ways[1]` adds up the correctness of the leading ones.
    """
    import numpy as np

    n, most = choose.shape[0] - 1, int(leaders[0])
    ways = np.zeros((2, len(counts), most + 1, n + 1))
    ways[0, :, 0, 0] = 1
    for c in range(most):
        rows = np.count_nonzero(leaders > c)
        old = ways[:, :rows, : c + 1, : min(c * m, n) + 1].copy()
        own = choose[counts[:rows, c], : m + 1][None, :, None]
        new = ways[:, :rows, : c + 2]
        new[...] = 0
        width = old.shape[-1]
        for taken in range(m):
            end = min(taken + width, n + 1)
            new[:, :, :-1, taken:end] += own[..., taken, None] * old[..., : end - taken]
        end = min(m + width, n + 1)
        lead = own[..., m, None] * old[..., : end - m]
        lead[1] += values[:rows, c, None, None] * lead[0]
        new[:, :, 1:, m:end] += lead
    led = (ways[1, :, 1:] / np.arange(1, most + 1)[:, None]).sum(axis=1)
    rest = n - np.where(np.arange(counts.shape[1]) < leaders[:, None], counts, 0).sum(axis=1)
    filled: Floats = np.zeros_like(led)
    fill = choose[rest]
    # A class that cannot lead is taken freely, and so is what has no vote.
    for taken in range(int(rest.max()) + 1):
        filled[:, taken:] += fill[:, taken, None] * led[:, : n + 1 - taken]
    return filled


def weighted_maj_at_k(
    labels: ArrayLike, weights: ArrayLike, correct: ArrayLike, *, orders: int = 200, seed: int = 0
) -> Subsets:
    """Accuracy of a vote over k candidates, each with its weight, e.g. its reward (arXiv 2206.02336, 2408.00724).

    The class with the highest sum wins; `labels` as in `maj_at_k`, the weight of a candidate without a vote is not
    read. Exact for n ≤ 12, by listing the subsets. Beyond, by `orders` seeded random orders of each problem's
    candidates: the first k of each are a random subset, so one order serves every k.
    """
    import numpy as np

    classes, heavy = np.asarray(labels), np.asarray(weights, dtype=float)
    hits, rng = np.asarray(correct, dtype=float), np.random.default_rng(seed)
    n = classes.shape[1]
    mean, error = np.zeros(classes.shape), np.zeros(classes.shape)
    for row in range(len(classes)):
        known, member = np.unique(classes[row], return_inverse=True)
        votes = np.eye(len(known))[member][:, known >= 0]
        value = votes.T @ hits[row] / votes.sum(axis=0)
        weight = np.where(classes[row] >= 0, heavy[row], 0.0)
        tables = _listed(votes, weight) if n <= EXACT_WEIGHTED else _drawn(votes, weight, orders, rng)
        right, squares, seen = np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1)
        for count, sums, size in tables:
            won = _won(count, sums, value)
            for into, summand in ((right, won), (squares, won**2), (seen, np.ones(len(won)))):
                into += np.bincount(size, summand, n + 1)
        mean[row] = right[1:] / seen[1:]
        if n > EXACT_WEIGHTED:
            error[row] = np.sqrt(np.clip(squares[1:] / orders - mean[row] ** 2, 0, None) / max(orders - 1, 1))
    return Subsets(mean, error)


def _won(count: Floats, sums: Floats, value: Floats) -> Floats:
    """For each subset, the mean correctness of the classes that win it; 0 where nobody votes."""
    import numpy as np

    if not len(value):
        return np.zeros(len(count))
    known = np.where(count > 0, sums, -np.inf)
    best = known.max(axis=1, keepdims=True)
    tied = (count > 0) & (known >= best - 1e-9 * np.abs(best, where=np.isfinite(best), out=np.zeros_like(best)))
    won: Floats = tied @ value / np.maximum(tied.sum(axis=1), 1)
    return won


def _listed(votes: Floats, weight: Floats) -> Iterator[tuple[Floats, Floats, Any]]:
    """Votes and weight of each class in every subset, with the subset's size."""
    import numpy as np

    n = len(votes)
    taken = (np.arange(1, 2**n)[:, None] >> np.arange(n) & 1).astype(float)
    yield taken @ votes, taken @ (votes * weight[:, None]), taken.sum(axis=1).astype(int)


def _drawn(votes: Floats, weight: Floats, orders: int, rng: Any) -> Iterator[tuple[Floats, Floats, Any]]:
    """The same for the beginnings of random orders."""
    import numpy as np

    n = len(votes)
    block = max(1, 2_000_000 // max(1, votes.size))
    for start in range(0, orders, block):
        many = min(block, orders - start)
        order = rng.permuted(np.tile(np.arange(n), (many, 1)), axis=1)
        count, sums = (np.cumsum(table[order], axis=1) for table in (votes, votes * weight[:, None]))
        yield count.reshape(many * n, -1), sums.reshape(many * n, -1), np.tile(np.arange(1, n + 1), many)


def _classes(labels: Any, correct: Floats) -> tuple[Any, Floats]:
    """Size and mean correctness of each problem's classes, the largest first."""
    import numpy as np

    width = int(labels.max(initial=-1)) + 1
    place = (np.arange(len(labels))[:, None] * width + labels)[labels >= 0]
    shape = (len(labels), width)
    counts = np.bincount(place, minlength=shape[0] * width).reshape(shape)
    hits = np.bincount(place, correct[labels >= 0], shape[0] * width).reshape(shape)
    order = np.argsort(-counts, axis=1, kind="stable")
    counts, hits = np.take_along_axis(counts, order, 1), np.take_along_axis(hits, order, 1)
    return counts, hits / np.maximum(counts, 1)


def _binomials(n: int) -> Floats:
    """C(i, j) for i, j ≤ n."""
    import numpy as np

    choose = np.zeros((n + 1, n + 1))
    choose[:, 0] = 1
    for i in range(1, n + 1):
        choose[i, 1:] = choose[i - 1, 1:] + choose[i - 1, :-1]
    return choose


def curve(problems: Sequence[str], values: Floats) -> dict[int, Estimate]:
    """Means over rows by k, with 95 % intervals; `problems` names the rows, of which several may be of one problem."""
    columns = enumerate(values.T.tolist(), 1)
    found = ((k, clustered_mean(zip(problems, column, strict=True), (0.0, 1.0))) for k, column in columns)
    return {k: estimate for k, estimate in found if estimate is not None}
