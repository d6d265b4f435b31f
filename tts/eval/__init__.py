"""Evaluation: grades, metrics and the tables made of them."""

from __future__ import annotations

from tts.eval._analysis import Curve, Origin, Rescue
from tts.eval._brackets import knockout_at_k
from tts.eval._checks import Disagreement, Duplicate, duplicate_problems, grader_disagreements
from tts.eval._comparison import Comparison
from tts.eval._costs import Lengths, Point, Price, Prices
from tts.eval._curves import Subsets, best_of_at_k, curve, maj_at_k, pass_at_k, weighted_maj_at_k
from tts.eval._gaps import Gap, gap_table, read_gaps
from tts.eval._grading import Graded, grade
from tts.eval._metrics import Estimate, clustered_mean
from tts.eval._pairs import Pair, compare_pairs
from tts.eval._protocol import Evaluation, evaluate
from tts.eval._run import Run

__all__ = [
    "Comparison",
    "Curve",
    "Disagreement",
    "Duplicate",
    "Estimate",
    "Evaluation",
    "Gap",
    "Graded",
    "Lengths",
    "Origin",
    "Pair",
    "Point",
    "Price",
    "Prices",
    "Rescue",
    "Run",
    "Subsets",
    "best_of_at_k",
    "clustered_mean",
    "compare_pairs",
    "curve",
    "duplicate_problems",
    "evaluate",
    "gap_table",
    "grade",
    "grader_disagreements",
    "knockout_at_k",
    "maj_at_k",
    "pass_at_k",
    "read_gaps",
    "weighted_maj_at_k",
]
