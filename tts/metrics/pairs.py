"""Paired tests between strategies on the same groups of candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

from tts.metrics.estimate import Estimate
from tts.metrics.tables import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ALPHA = 0.05
POWER = 0.8
DRAWS = 10_000  # bootstrap samples of the problems
BLOCK = 500  # of them at a time


class Pair(NamedTuple):
    """How two strategies differ on the same groups; prints as one line.

    `difference` is accuracy of `a` minus accuracy of `b` with the interval of `bootstrap`; `more` problems went better
    with `a`, `fewer` with `b`. `p` is that of `flip_p`, `adjusted` after Holm over all pairs asked about together, and
    the verdict goes by it at 5 %. `needed` is how many problems would tell, by `problems_needed`; `None` where the
    verdict tells already, or where there is no difference to tell. `samples` is how many candidates of each of these
    problems would tell as well, by `groups_needed`; `None` also where no number of them would, and where it cannot be
    estimated, for there is one group of each problem.
    """

    a: str
    b: str
    difference: Estimate
    more: int
    fewer: int
    p: float
    adjusted: float
    verdict: Literal["better", "worse", "cannot tell"]
    needed: int | None
    samples: int | None = None

    def __str__(self) -> str:
        found = self.difference
        points = f"{100 * found.mean:+.1f} points ({100 * found.low:+.1f} … {100 * found.high:+.1f})"
        seen = f"{points}, better on {counted(self.more, 'problem')} and worse on {self.fewer}, p = {self.adjusted:.2g}"
        if self.verdict != "cannot tell":
            return f"{self.a} is {self.verdict} than {self.b}: {seen}"
        return (
            f"{self.a} and {self.b}: cannot tell with {counted(found.problems, 'problem')}: {seen}; {self.would_tell}"
        )

    @property
    def would_tell(self) -> str:
        """How many problems, or candidates of these, would tell, in words."""
        if self.needed is None:
            return "no difference to tell"
        instead = f", or {self.samples:,} candidates of each of these" if self.samples is not None else ""
        return f"about {counted(self.needed, 'problem')} would tell{instead}"


class _Tested(NamedTuple):
    """A pair before Holm: what its groups say."""

    a: str
    b: str
    totals: list[Fraction]
    groups: list[int]
    p: float
    interval: Estimate
    rows: tuple[int, ...]


def compare_pairs(
    problems: Sequence[str], shares: Mapping[str, Sequence[Fraction | None]], *, k: int = 1, seed: int = 0
) -> list[Pair]:
    """Every pair of strategies, in the order given, on the groups that both have; a pair without any is left out.

    `shares` has for each strategy and group the share of its outputs that are correct, `None` where it is missing;
    `problems` names the problem of each group of `k` candidates. Groups of one problem stay together in every test.
    """
    asked = list(combinations(shares, 2))
    common: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for a, b in asked:
        both = enumerate(zip(shares[a], shares[b], strict=True))
        common.setdefault(tuple(i for i, (x, y) in both if x is not None and y is not None), []).append((a, b))
    tested = [one for rows, pairs in common.items() if rows for one in _tested(problems, shares, rows, pairs, seed)]
    tested.sort(key=lambda one: asked.index((one.a, one.b)))
    adjusted = holm([one.p for one in tested])
    return [_pair(problems, shares, one, p, len(tested), k) for one, p in zip(tested, adjusted, strict=True)]


def _tested(
    problems: Sequence[str],
    shares: Mapping[str, Sequence[Fraction | None]],
    rows: tuple[int, ...],
    pairs: Sequence[tuple[str, str]],
    seed: int,
) -> list[_Tested]:
    """Pairs that have the same groups in common."""
    names = sorted({problems[row] for row in rows})  # the same draws whatever the order
    place = {problem: i for i, problem in enumerate(names)}
    groups, totals = [0] * len(names), [[Fraction(0)] * len(names) for _ in pairs]
    for row in rows:
        groups[place[problems[row]]] += 1
        for total, (a, b) in zip(totals, pairs, strict=True):
            total[place[problems[row]]] += _difference(shares, a, b, row)
    intervals = bootstrap(totals, groups, seed=seed)
    return [
        _Tested(a, b, total, groups, flip_p(total), found, rows)
        for (a, b), total, found in zip(pairs, totals, intervals, strict=True)
    ]


def _pair(
    problems: Sequence[str],
    shares: Mapping[str, Sequence[Fraction | None]],
    one: _Tested,
    adjusted: float,
    pairs: int,
    k: int,
) -> Pair:
    """A tested pair with its verdict among so many."""
    verdict: Literal["better", "worse", "cannot tell"] = "cannot tell"
    if adjusted <= ALPHA:
        verdict = "better" if one.interval.mean > 0 else "worse"
    needed = problems_needed(one.totals, one.groups, pairs) if verdict == "cannot tell" else None
    more_groups = None
    if needed is not None:
        differences = [_difference(shares, one.a, one.b, row) for row in one.rows]
        more_groups = groups_needed([problems[row] for row in one.rows], differences, pairs)
    samples = None if more_groups is None else k * more_groups
    more, fewer = sum(total > 0 for total in one.totals), sum(total < 0 for total in one.totals)
    return Pair(one.a, one.b, one.interval, more, fewer, one.p, adjusted, verdict, needed, samples)


def _difference(shares: Mapping[str, Sequence[Fraction | None]], a: str, b: str, row: int) -> Fraction:
    return (shares[a][row] or Fraction(0)) - (shares[b][row] or Fraction(0))  # of rows that both have


def flip_p(totals: Sequence[Fraction]) -> float:
    """Exact two-sided p-value of the differences, one total for each problem: the chance of one as large or larger.

    If the strategies are equally good, each problem's difference might as well have the other sign; all combinations of
    signs are counted. With one group and one output for each problem this is McNemar's exact test (1947; the sign test
    on the problems where they differ); with several it is Fisher's randomization test for pairs, clustered by problem.
    """
    import numpy as np

    unit = math.lcm(*(total.denominator for total in totals))
    sizes = [abs(int(total * unit)) for total in totals if total]
    common = math.gcd(*sizes)
    sizes = [size // common for size in sizes]
    if not sizes:
        return 1.0
    seen, most = abs(int(sum(totals) * unit)) // common, sum(sizes)
    chances, reached = np.zeros(most + 1), 0
    chances[0] = 1.0  # chances[x]: that the positive ones sum up to x
    for size in sizes:
        before = chances[: reached + 1] / 2
        chances[: reached + 1] = before
        chances[size : size + reached + 1] += before
        reached += size
    return min(1.0, float(chances[np.abs(2 * np.arange(most + 1) - most) >= seen].sum()))


def holm(ps: Sequence[float]) -> list[float]:
    """p-values adjusted so that the chance of any wrong rejection among all is held (Holm 1979), in the order given."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = largest
    return adjusted


def bootstrap(totals: Sequence[Sequence[Fraction]], groups: Sequence[int], *, seed: int = 0) -> list[Estimate]:
    """Mean differences per group with 95 % percentile intervals of the cluster bootstrap (Davison and Hinkley 1997).

    Whole problems are drawn with replacement, the same ones for every pair, 10,000 times. Where all problems agree no
    draw differs: the interval then goes as far as so many problems can rule out (Clopper and Pearson 1934, none seen).
    """
    import numpy as np

    table, sizes = np.array(totals, dtype=float).T, np.array(groups, dtype=float)
    m, n, rng = len(sizes), int(sizes.sum()), np.random.default_rng(seed)
    drawn = []
    for start in range(0, DRAWS, BLOCK):
        many = min(BLOCK, DRAWS - start)
        taken = rng.integers(m, size=(many, m)) + m * np.arange(many)[:, None]
        times = np.bincount(taken.ravel(), minlength=many * m).reshape(many, m).astype(float)
        drawn.append((times @ table) / (times @ sizes)[:, None])
    low, high = np.quantile(np.concatenate(drawn), [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    means, agreed = table.sum(axis=0) / n, np.ptp(table / sizes[:, None], axis=0) == 0
    unseen = 1 - (ALPHA / 2) ** (1 / m) if m > 1 else 2.0
    low = np.where(agreed, np.maximum(means - unseen, -1), low)
    high = np.where(agreed, np.minimum(means + unseen, 1), high)
    bounds = zip(means.tolist(), low.tolist(), high.tolist(), strict=True)
    return [Estimate(mean, least, most, m, n) for mean, least, most in bounds]


def problems_needed(totals: Sequence[Fraction], groups: Sequence[int], pairs: int = 1) -> int | None:
    """How many problems would tell with 80 % power, if the difference is what was seen; `None` for no difference.

    (z(1 − α/2) + z(0.8))² σ² / δ², the sample size of a paired test by the normal approximation (Connor 1987 for yes
    and no), with δ the mean difference, σ² its variance over problems, and α = 5 % over the number of pairs, which is
    what Holm asks of the smallest p-value. Never fewer than the exact test must have, nor than were seen not to do.
    """
    delta = float(sum(totals)) / sum(groups)
    if delta == 0:
        return None
    m, alpha = len(groups), ALPHA / pairs
    mean_size = sum(groups) / m
    residuals = ((float(total) - delta * size) / mean_size for total, size in zip(totals, groups, strict=True))
    variance = math.fsum(one**2 for one in residuals) / max(m - 1, 1)
    z = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(POWER)
    return max(math.ceil(z**2 * variance / delta**2), math.ceil(1 - math.log2(alpha)), m + 1)


def groups_needed(problems: Sequence[str], differences: Sequence[Fraction], pairs: int = 1) -> int | None:
    """How many groups of each of these problems would tell with 80 % power; `None` where none would, or none can say.

    More groups make a problem's own mean sharper and leave the differences between problems as they are: with m
    problems and g groups of each the mean difference has the variance (σ_b² + σ_w² / g) / m, the two-stage sample of
    Cochran (1977, section 10.6). σ_w² is pooled over problems, σ_b² what the variance over problems has beyond it.
    `None` without a difference, with one group of each problem, or where σ_b² alone is too much for so many problems.
    """
    by_problem: dict[str, list[float]] = {}
    for problem, difference in zip(problems, differences, strict=True):
        by_problem.setdefault(problem, []).append(float(difference))
    m, n = len(by_problem), len(differences)
    delta, spare = math.fsum(map(float, differences)) / n, n - m
    alpha = ALPHA / pairs
    if not delta or not spare or m < 2 or m < math.ceil(1 - math.log2(alpha)):
        return None
    means = {problem: math.fsum(own) / len(own) for problem, own in by_problem.items()}
    within = math.fsum((one - means[problem]) ** 2 for problem, own in by_problem.items() for one in own) / spare
    over = math.fsum((len(own) * m / n * (means[problem] - delta)) ** 2 for problem, own in by_problem.items()) / (
        m - 1
    )
    z = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(POWER)
    room = m * delta**2 / z**2 - max(0.0, over - within * m / n)
    if room <= 0:
        return None
    return max(math.ceil(within / room), math.floor(n / m) + 1)
