"""What the intervals of tts.eval cover beside what others would, by simulation: coverage, false verdicts.

    python benchmarks/calibration.py

Made-up strategies of known accuracy on 20, 30, 100, 500 problems with 1 and 4 groups each. "rho" is how much the groups
of one problem are alike: 0 for all problems of one difficulty, near 1 for problems that are always or never solved.
Every method is written here for whole arrays; before anything is printed, those that tts.eval uses are compared with
it. One core, some minutes; a number after the command is how many data sets make a cell.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import math
import sys
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from tts.eval import clustered_difference, clustered_mean
from tts.metrics.student import t_quantile

Interval = tuple[Any, Any]
RNG = np.random.default_rng(0)
Z95 = 1.959963984540054
PROBLEMS, GROUPS = (20, 30, 100, 500), (1, 4)
SIMULATED = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
SHARES = (0.5, 0.8, 0.95, 0.98, 0.02)
RATES = {  # (better, worse): how often in a group one strategy alone is right
    "one-sided 30 %": (0.30, 0.0),
    "one-sided 10 %": (0.10, 0.0),
    "one-sided 3 %": (0.03, 0.0),
    "two-sided 25/10 %": (0.25, 0.10),
    "two-sided 10/5 %": (0.10, 0.05),
    "null 40/40 %": (0.40, 0.40),
    "null 15/15 %": (0.15, 0.15),
    "null 5/5 %": (0.05, 0.05),
    "null 2/2 %": (0.02, 0.02),
}


def spread(mean: float, rho: float, shape: tuple[int, ...]) -> np.ndarray:
    """Chances with this mean; of two groups of one problem, rho is the correlation."""
    if rho == 0 or mean in (0.0, 1.0):
        return np.full(shape, mean)
    size = 1 / rho - 1
    return RNG.beta(mean * size, (1 - mean) * size, shape)


def share_sets(sets: int, problems: int, groups: int, mean: float, rho: float) -> np.ndarray:
    return RNG.binomial(groups, spread(mean, rho, (sets, problems))) / groups


def difference_sets(sets: int, problems: int, groups: int, rates: tuple[float, float], rho: float) -> np.ndarray:
    """Each problem's mean difference: how often the two differ, and which is then right, vary over problems."""
    better, worse = rates
    differ = RNG.binomial(groups, spread(better + worse, rho, (sets, problems)))
    first = RNG.binomial(differ, spread(better / (better + worse), rho, (sets, problems)))
    return (2 * first - differ) / groups


def student(values: np.ndarray) -> Interval:
    m, mean = values.shape[1], values.mean(axis=1)
    half = t_quantile(0.05, m - 1) * values.std(axis=1, ddof=1) / math.sqrt(m)
    return mean - half, mean + half


def student_or_wilson(values: np.ndarray) -> Interval:
    """What was used before: Student's t cut at the bounds, Wilson's where all problems agree on one."""
    m, mean = values.shape[1], values.mean(axis=1)
    low, high = (np.clip(one, 0, 1) for one in student(values))
    margin, same = Z95**2 / (m + Z95**2), np.ptp(values, axis=1) == 0
    high = np.where(same & (mean == 0), margin, high)
    return np.where(same & (mean == 1), 1 - margin, low), high


def trials(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    m, mean = values.shape[1], values.mean(axis=1)
    alone = mean * (1 - mean)
    squares = ((values - mean[:, None]) ** 2).sum(axis=1)
    return mean, np.where(alone > 1e-12, alone * m**2 / np.maximum(squares + alone, 1e-300), m)


def wilson(values: np.ndarray) -> Interval:
    mean, n = trials(values)
    centre = (mean + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * np.sqrt(mean * (1 - mean) / n + Z95**2 / (4 * n**2))
    return centre - half, centre + half


def agresti_coull(values: np.ndarray) -> Interval:
    mean, n = trials(values)
    centre = (n * mean + Z95**2 / 2) / (n + Z95**2)
    half = Z95 * np.sqrt(centre * (1 - centre) / (n + Z95**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def bootstrap(values: np.ndarray) -> Interval:
    """Percentiles over problems drawn with replacement; where no draw differs, what none seen can rule out."""
    m = values.shape[1]
    times = RNG.multinomial(m, np.full(m, 1 / m), size=999) / m
    low, high = np.quantile(values @ times.T, [0.025, 0.975], axis=1)
    unseen, same, mean = 1 - 0.025 ** (1 / m), np.ptp(values, axis=1) == 0, values.mean(axis=1)
    return np.where(same, mean - unseen, low), np.where(same, mean + unseen, high)


def plus_problems(values: np.ndarray, *, scaled: bool = True) -> Interval:
    """Student's t with two more problems that differ, by as much as those that do (`scaled`), or by 1."""
    m, mean = values.shape[1], values.mean(axis=1)
    differing = (np.abs(values) > 1e-12).sum(axis=1)
    step = np.where(differing > 0, (values**2).sum(axis=1) / np.maximum(differing, 1), 1.0) if scaled else 1.0
    squares = ((values - mean[:, None]) ** 2).sum(axis=1) + 2 * step
    half = t_quantile(0.05, m - 1) * np.sqrt(squares / (m * (m - 1)))
    return np.maximum(mean - half, -1), np.minimum(mean + half, 1)


FOR_SHARES: dict[str, Callable[[np.ndarray], Interval]] = {
    "t, Wilson at the bounds": student_or_wilson,
    "bootstrap": bootstrap,
    "Wilson, n effective": wilson,
    "**Agresti-Coull, n effective**": agresti_coull,
}
FOR_DIFFERENCES: dict[str, Callable[[np.ndarray], Interval]] = {
    "t": student,
    "bootstrap": bootstrap,
    "t, two problems of ±1 more": lambda values: plus_problems(values, scaled=False),
    "**t, two of ±step more**": plus_problems,
}


def check() -> None:
    """The arrays here and tts.eval say the same."""
    for groups in GROUPS:
        for values, ours, theirs in (
            (share_sets(20, 20, groups, 0.9, 0.4), agresti_coull, lambda rows: clustered_mean(rows, (0.0, 1.0))),
            (difference_sets(20, 20, groups, (0.1, 0.05), 0.4), plus_problems, clustered_difference),
        ):
            bounds = np.array(ours(values)).T
            for row, (low, high) in zip(values, bounds, strict=True):
                found = theirs([(str(i), float(one)) for i, one in enumerate(row)])
                assert found is not None
                assert abs(found.low - low) < 1e-9 > abs(found.high - high), (found, low, high)


def cells() -> Iterator[tuple[int, int, float]]:
    """Problems, groups, and rho where there are several groups to be alike."""
    for problems, groups in product(PROBLEMS, GROUPS):
        for rho in (0.0,) if groups == 1 else (0.0, 0.4, 0.8):
            yield problems, groups, rho


def covered(found: Interval, truth: float) -> float:
    low, high = found
    return float(((low <= truth + 1e-12) & (truth <= high + 1e-12)).mean())


def told(found: Interval) -> float:
    low, high = found
    return float(((low > 1e-12) | (high < -1e-12)).mean())


def share_table() -> None:
    print("## Accuracies: coverage of 95 % intervals, in %\n")
    print(f"| problems × groups, rho | accuracy | {' | '.join(FOR_SHARES)} |")
    print(f"|---|---|{'---|' * len(FOR_SHARES)}")
    worst: dict[str, list[float]] = {name: [] for name in FOR_SHARES}
    for (problems, groups, rho), mean in product(cells(), SHARES):
        values = share_sets(SIMULATED, problems, groups, mean, rho)
        shown = {name: covered(method(values), mean) for name, method in FOR_SHARES.items()}
        for name, one in shown.items():
            worst[name].append(one)
        cells_ = " | ".join(f"{100 * one:.1f}" for one in shown.values())
        print(f"| {problems} × {groups}, {rho:g} | {mean:g} | {cells_} |", flush=True)
    summary(worst)


def difference_table() -> None:
    print("\n## Paired differences: coverage of 95 % intervals, then how often the verdict is better or worse, in %\n")
    print(f"| problems × groups, rho | difference | {' | '.join(FOR_DIFFERENCES)} |")
    print(f"|---|---|{'---|' * len(FOR_DIFFERENCES)}")
    worst: dict[str, list[float]] = {name: [] for name in FOR_DIFFERENCES}
    false: dict[str, list[float]] = {name: [] for name in FOR_DIFFERENCES}
    for (problems, groups, rho), (name, rates) in product(cells(), RATES.items()):
        values = difference_sets(SIMULATED, problems, groups, rates, rho)
        shown = {how: method(values) for how, method in FOR_DIFFERENCES.items()}
        for how, one in shown.items():
            worst[how].append(covered(one, rates[0] - rates[1]))
            if rates[0] == rates[1]:
                false[how].append(told(one))
        cells_ = " | ".join(
            f"{100 * covered(one, rates[0] - rates[1]):.1f}, {100 * told(one):.1f}" for one in shown.values()
        )
        print(f"| {problems} × {groups}, {rho:g} | {name} | {cells_} |", flush=True)
    summary(worst)
    print("\nFalse verdicts where there is no difference, the most in any cell:\n")
    print("\n".join(f"* {how}: {100 * max(found):.1f} %" for how, found in false.items()))


def summary(worst: dict[str, list[float]]) -> None:
    print("\n| method | least | cells below 93 % | cells above 97 % | of |\n|---|---|---|---|---|")
    for name, found in worst.items():
        below, above = sum(one < 0.93 for one in found), sum(one > 0.97 for one in found)
        print(f"| {name} | {100 * min(found):.1f} | {below} | {above} | {len(found)} |")


def family() -> None:
    """Six strategies, equally good: how often any of the 15 pairs has a verdict."""
    print("\n## Six equally good strategies, 15 pairs: how often any pair is better or worse, in %\n")
    print("| problems × groups, rho | each pair by itself | all pairs at once |\n|---|---|---|")
    for problems, groups, rho in cells():
        if problems > 100:
            continue
        sets = SIMULATED // 10
        alone = at_once = 0
        chances = spread(0.6, rho, (sets, problems))
        right = np.stack([RNG.binomial(groups, chances) / groups for _ in range(6)])
        hits = np.zeros((2, sets), dtype=bool)
        for a in range(6):
            for b in range(a):
                for place, asked in enumerate((1, 15)):
                    hits[place] |= _excludes(right[a] - right[b], asked)
        alone, at_once = hits.mean(axis=1)
        print(f"| {problems} × {groups}, {rho:g} | {100 * alone:.1f} | {100 * at_once:.1f} |", flush=True)


def _excludes(values: np.ndarray, asked: int) -> np.ndarray:
    m, mean = values.shape[1], values.mean(axis=1)
    differing = (np.abs(values) > 1e-12).sum(axis=1)
    step = np.where(differing > 0, (values**2).sum(axis=1) / np.maximum(differing, 1), 1.0)
    squares = ((values - mean[:, None]) ** 2).sum(axis=1) + 2 * step
    half = t_quantile(0.05 / asked, m - 1) * np.sqrt(squares / (m * (m - 1)))
    excluded: np.ndarray = np.abs(mean) > half
    return excluded


def main() -> None:
    check()
    share_table()
    difference_table()
    family()


if __name__ == "__main__":
    main()
