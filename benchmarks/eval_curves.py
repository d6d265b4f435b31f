"""All curves on 500 problems x 64 samples: pass@k, maj@k and BoN@k for k = 1..64, ties averaged, intervals included.

    python benchmarks/eval_curves.py

One core; CPU seconds, best of three, from arrays of answer classes, verdicts and scores to estimates with intervals.
The second row has no agreement at all (many small classes), the third one class for nearly all.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import platform
import time

import numpy as np

from tts.eval import best_of_at_k, curve, maj_at_k, pass_at_k, weighted_maj_at_k

PROBLEMS, N = 500, 64


def sets(concentration: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes from a Chinese restaurant process, one of them right; scores that know a little, with ties."""
    rng = np.random.default_rng(0)
    labels = np.zeros((PROBLEMS, N), dtype=int)
    for row in labels:
        for i in range(1, N):
            fresh = rng.random() < concentration / (concentration + i)
            row[i] = row[:i].max() + 1 if fresh else row[rng.integers(i)]
    correct = labels == rng.integers(0, 3, (PROBLEMS, 1))
    labels[rng.random(labels.shape) < 0.05] = -1
    correct &= labels >= 0
    return labels, correct, np.round(rng.normal(correct, 1.0), 1)


def seconds(concentration: float) -> tuple[float, float, float]:
    labels, correct, scores = sets(concentration)
    ids = [str(i) for i in range(PROBLEMS)]
    best, weighted = np.inf, 0.0
    for _ in range(3):
        started = time.process_time()
        for values in (pass_at_k(correct), maj_at_k(labels, correct).mean, best_of_at_k(scores, correct)):
            assert len(curve(ids, values)) == N
        best = min(best, time.process_time() - started)
    started = time.process_time()
    curve(ids, weighted_maj_at_k(labels, scores, correct).mean)
    weighted = time.process_time() - started
    return labels.max(axis=1).mean() + 1, best, weighted


def main() -> None:
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}, one core\n")
    print("| classes per problem | pass@k, maj@k, BoN@k (s) | and weighted maj@k, 200 orders (s) |")
    print("|---|---|---|")
    for concentration in (3.0, 60.0, 0.2):
        classes, exact, weighted = seconds(concentration)
        print(f"| {classes:.1f} | {exact:.2f} | {weighted:.2f} |")


if __name__ == "__main__":
    main()
