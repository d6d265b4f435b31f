"""Evaluation: grades, metrics and the tables made of them."""

from __future__ import annotations

from tts.eval._comparison import Comparison
from tts.eval._curves import Subsets, best_of_at_k, curve, maj_at_k, pass_at_k, weighted_maj_at_k
from tts.eval._grading import Graded, grade
from tts.eval._metrics import Estimate, clustered_mean
from tts.eval._run import Run

__all__ = [
    "Comparison",
    "Estimate",
    "Graded",
    "Run",
    "Subsets",
    "best_of_at_k",
    "clustered_mean",
    "curve",
    "grade",
    "maj_at_k",
    "pass_at_k",
    "weighted_maj_at_k",
]
