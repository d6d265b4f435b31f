"""What the intervals of calibration error, AURC and selective accuracy cover, by simulation, beside what else is done.

    python benchmarks/confidence.py

Made-up strategies that tell a confidence: votes of four (four values) or any number, on 20, 30, 100, 500 problems with
1 and 4 groups each; "rho" is how much the groups of one problem are alike, "off" how accuracy hangs on confidence.
Beside ours stand the plain error over the same bins, and the percentiles of a bootstrap over problems. One core, some
minutes; a number after the command is how many data sets make a cell.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from collections.abc import Callable
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np

from tts.metrics.calibration import Told, bins_of, expected_calibration_error
from tts.metrics.estimate import Estimate
from tts.metrics.selective import accuracy_at, area_under_risk

RNG = np.random.default_rng(0)
SIMULATED = int(sys.argv[1]) if len(sys.argv) > 1 else 200
SIZES = ((20, 1, 0.0), (30, 4, 0.4), (100, 1, 0.0), (100, 4, 0.6), (500, 1, 0.0), (500, 4, 0.4))
OFF: dict[str, Callable[[Any], Any]] = {
    "calibrated": lambda sure: sure,
    "0.1 too sure": lambda sure: sure - 0.1,
    "0.3 too sure": lambda sure: sure - 0.3,
    "half the slope": lambda sure: 0.7 + 0.5 * (sure - 0.7),
    "0.15 too sure above 0.8": lambda sure: np.where(sure > 0.8, sure - 0.15, sure),
    "tells nothing": lambda sure: 0 * sure + 0.6,
}
NORMAL = np.vectorize(NormalDist().cdf)


def confidences(kind: str, shape: tuple[int, ...]) -> Any:
    if kind == "votes":
        return RNG.choice([0.25, 0.5, 0.75, 1.0], size=shape, p=[0.1, 0.25, 0.25, 0.4])
    return RNG.beta(4, 1.5, size=shape)


def decisions(kind: str, problems: int, groups: int, rho: float, off: Callable[[Any], Any]) -> tuple[Any, Any]:
    sure = confidences(kind, (problems, groups))
    latent = np.sqrt(rho) * RNG.normal(size=(problems, 1)) + np.sqrt(1 - rho) * RNG.normal(size=sure.shape)
    return sure, NORMAL(latent) < np.clip(off(sure), 0, 1)


def told_of(sure: Any, right: Any) -> list[Told]:
    return [
        Told(str(i), float(sure[i, j]), bool(right[i, j]))
        for i, j in product(range(sure.shape[0]), range(sure.shape[1]))
    ]


def plain_and_bootstrap(told: list[Told]) -> tuple[float, float, float]:
    """The plain error over the same bins, and the percentiles of 299 draws of problems."""
    places = {problem: place for place, problem in enumerate(dict.fromkeys(one.problem for one in told))}
    bins = bins_of(told)
    off = np.zeros((len(places), len(bins)))
    for column, own in enumerate(bins):
        for one in own:
            off[places[one.problem], column] += (one.confidence - one.correct) / len(told)
    times = RNG.multinomial(len(places), np.full(len(places), 1 / len(places)), size=299)
    drawn = np.abs(times @ off).sum(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(np.abs(off.sum(axis=0)).sum()), float(low), float(high)


def truth(kind: str, off: Callable[[Any], Any]) -> tuple[float, float, float]:
    """Calibration error, AURC, accuracy of the surest half, of so many decisions that nothing is left to luck."""
    sure = confidences(kind, (200_000,))
    chance = np.clip(off(sure), 0, 1)
    order = np.argsort(-sure, kind="stable")
    values = sure[order]
    ties = np.concatenate([[0], np.cumsum(np.diff(values) != 0)])
    wrong = (np.bincount(ties, 1 - chance[order]) / np.bincount(ties))[ties]
    half = wrong[: len(wrong) // 2]
    risk = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    return float(np.abs(sure - chance).mean()), float(risk.mean()), 1 - float(half.mean())


def holds(found: Estimate, value: float) -> bool:
    return bool(found.low - 1e-9 <= value <= found.high + 1e-9)


def main() -> None:
    head = ("confidence", "problems × groups, rho", "off", "true ECE", "plain", "ours", "plain, bootstrap: covers",
            "ours: covers", "AURC covers", "surest half covers")  # fmt: skip
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    every: dict[str, list[float]] = {name: [] for name in ("bootstrap", "ECE", "AURC", "surest half")}
    for kind, (problems, groups, rho), (name, off) in product(("votes", "any"), SIZES, OFF.items()):
        error, area, half = truth(kind, off)
        rows = []
        for _ in range(SIMULATED):
            told = told_of(*decisions(kind, problems, groups, rho, off))
            ours = expected_calibration_error(told)
            plain, low, high = plain_and_bootstrap(told)
            risk, surest = area_under_risk(told).area, accuracy_at(told, 0.5)
            rows.append(
                [plain, ours.mean, low <= error <= high, holds(ours, error), holds(risk, area), holds(surest, half)]
            )
        plain, mean, *covers = np.mean(rows, axis=0)
        for own, one in zip(every.values(), covers, strict=True):
            own.append(float(one))
        cells = " | ".join(f"{100 * one:.1f}" for one in (error, plain, mean, *covers))
        print(f"| {kind} | {problems} × {groups}, {rho:g} | {name} | {cells} |", flush=True)
    print("\n| interval | least | mean | cells below 93 % | below 90 % | of |\n|---|---|---|---|---|---|")
    for name, own in every.items():
        below = [sum(one < at for one in own) for at in (0.93, 0.90)]
        print(f"| {name} | {100 * min(own):.1f} | {100 * np.mean(own):.1f} | {below[0]} | {below[1]} | {len(own)} |")


if __name__ == "__main__":
    main()
