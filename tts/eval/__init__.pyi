from tts.contracts.grader import grade_answers
from tts.contracts.prices import Price, Prices
from tts.eval.controlled import ControlResult, Controls, controls
from tts.eval.order_test import CanonicalOrder, canonical_order
from tts.eval.overlap import Overlap, Overlaps, ngram_overlap
from tts.eval.protocol import Evaluation, evaluate
from tts.metrics.analysis import Origin
from tts.metrics.brackets import knockout_at_k
from tts.metrics.budgets import Budget
from tts.metrics.checks import Disagreement, Duplicate, duplicate_problems, grader_disagreements
from tts.metrics.comparison import Comparison
from tts.metrics.completeness import Bounds, Cut
from tts.metrics.confidence import Calibration
from tts.metrics.costs import Lengths, Point
from tts.metrics.curves import Subsets, best_of_at_k, curve, g_pass_at_k, maj_at_k, pass_at_k, weighted_maj_at_k
from tts.metrics.difference import Detectable, clustered_difference
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.exchangeable import UnlikeSlots
from tts.metrics.gaps import Gap, gap_table, read_gaps, read_summary
from tts.metrics.grading import Graded, grade
from tts.metrics.judge_bias import JudgeBias
from tts.metrics.missing import MaxFailed, Missing, tolerated
from tts.metrics.own_verdicts import OwnVerdicts
from tts.metrics.paired import Rescue
from tts.metrics.pairs import Pair, compare_pairs
from tts.metrics.pooled import Pooled, PooledGap, pool_gaps, pooled_table
from tts.metrics.run import Run
from tts.metrics.sampled_curves import Curve
from tts.metrics.strata import Stratified, Stratum
from tts.vocabulary.outcome_class import OutcomeClass, candidate_class, outcome_class, result_classes

__all__ = [
    "Bounds",
    "Budget",
    "Calibration",
    "CanonicalOrder",
    "Comparison",
    "ControlResult",
    "Controls",
    "Curve",
    "Cut",
    "Detectable",
    "Disagreement",
    "Duplicate",
    "Estimate",
    "Evaluation",
    "Gap",
    "Graded",
    "JudgeBias",
    "Lengths",
    "MaxFailed",
    "Missing",
    "Origin",
    "OutcomeClass",
    "Overlap",
    "Overlaps",
    "OwnVerdicts",
    "Pair",
    "Point",
    "Pooled",
    "PooledGap",
    "Price",
    "Prices",
    "Rescue",
    "Run",
    "Stratified",
    "Stratum",
    "Subsets",
    "UnlikeSlots",
    "best_of_at_k",
    "candidate_class",
    "canonical_order",
    "clustered_difference",
    "clustered_mean",
    "compare_pairs",
    "controls",
    "curve",
    "duplicate_problems",
    "evaluate",
    "g_pass_at_k",
    "gap_table",
    "grade",
    "grade_answers",
    "grader_disagreements",
    "knockout_at_k",
    "maj_at_k",
    "ngram_overlap",
    "outcome_class",
    "pass_at_k",
    "pool_gaps",
    "pooled_table",
    "read_gaps",
    "read_summary",
    "result_classes",
    "tolerated",
    "weighted_maj_at_k",
]
