"""Figures of arXiv 2509.00084 that the replica prints beside its own.

Accuracies in percent of the 7B model on AIME24, and what Table 1 gives for the other benchmarks.
"""

from __future__ import annotations

BENCHMARKS = ("AIME24", "AIME25", "AMC22-23", "MATH-500", "OlympiadBench")

# Table 1: one figure for each benchmark.
METHODS: dict[str, tuple[float, ...]] = {
    "pass@1": (50.1, 37.8, 78.5, 90.6, 64.4),
    "majority": (60.0, 46.7, 84.6, 92.8, 68.3),
    "best_of_n": (58.3, 46.7, 81.6, 92.5, 67.6),  # Skywork-Reward-Gemma-2-27B
    "knockout": (62.1, 45.4, 84.6, 93.5, 69.1),  # RM-R1-7B
    "synthesizer": (60.2, 44.0, 84.0, 92.0, 67.7),  # Synthesizer-8B
    "gsr": (66.0, 51.7, 85.7, 93.4, 71.0),
}

# Table 2, AIME24: pass@1, selfRef@4.
ARMS: dict[str, tuple[float, float]] = {
    "base": (13.2, 15.6),
    "direct": (38.3, 44.3),
    "refine": (26.4, 45.0),
    "hybrid": (37.5, 51.5),
}

# Table 5 and Figure 5, AIME24: accuracy where 4, 3, 2, 1, 0 of the four candidates are correct.
BY_N_CORRECT: dict[str, tuple[float, ...]] = {
    "majority": (100, 100, 94.4, 18.8, 0),
    "knockout": (100, 94.9, 80.6, 56.3, 0),
    "synthesizer": (99.6, 96.2, 83.3, 38.3, 0),
    "gsr": (100, 97.4, 89.6, 60.2, 5.9),
}
