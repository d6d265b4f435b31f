"""The published numbers of arXiv 2509.00084, as they stand in it.

Accuracies in percent. `None` stands for what the paper does not report.
"""

from __future__ import annotations

from typing import NamedTuple

BENCHMARKS = ("AIME24", "AIME25", "AMC22-23", "MATH500", "Olympiad")
TASKS = dict(zip(("aime24", "aime25", "amc22_23", "math500", "olympiadbench"), BENCHMARKS, strict=True))
"""The tasks of `tts` by the paper's names."""

BASE, GSR = "Qwen2.5-7B-Instruct", "GSR-7B"
Numbers = tuple[float | None, ...]


class Method(NamedTuple):
    """One row of Table 1: its key, its name, and what each model has on the five benchmarks and in the mean."""

    key: str
    name: str
    published: dict[str, Numbers]


METHODS = (
    Method(
        "pass@1",
        "pass@1",
        {
            "QwQ-Preview": (50.0, None, None, 90.6, 61.2, None),
            "o1-mini": (56.7, None, None, 90.0, None, None),
            BASE: (13.2, 7.2, 43.6, 75.9, 39.5, 35.9),
            GSR: (50.1, 37.8, 78.5, 90.6, 64.4, 64.3),
        },
    ),
    Method(
        "majority",
        "maj@4",
        {BASE: (16.7, 9.6, 47.7, 79.4, 43.5, 39.4), GSR: (60.0, 46.7, 84.6, 92.8, 68.3, 70.5)},
    ),
    Method("maj@5", "maj@5", {GSR: (60.7, 48.3, 84.9, 93.1, 68.8, 71.1)}),
    Method(
        "best_of_n",
        "BoN@4, reward model",
        {
            f"{BASE}, SkyworkRM-27B": (17.1, 9.2, 48.0, 78.6, 43.0, 39.2),
            f"{GSR}, SkyworkRM-27B": (58.3, 46.7, 81.6, 92.5, 67.6, 69.3),
        },
    ),
    Method("BoN@5", "BoN@5, reward model", {f"{GSR}, SkyworkRM-27B": (59.2, 46.3, 82.8, 92.7, 67.7, 69.7)}),
    Method(
        "knockout",
        "BoN@4, judge",
        {
            f"{GSR}, RRM-7B": (60.4, 46.3, 80.4, 90.6, 64.6, 68.5),
            f"{GSR}, RM-R1-7B": (62.1, 45.4, 84.6, 93.5, 69.1, 70.9),
        },
    ),
    Method("synthesizer", "Ref@4, synthesizer", {f"{GSR}, Synthesizer-8B": (60.2, 44.0, 84.0, 92.0, 67.7, 69.6)}),
    Method(
        "gsr",
        "selfRef@4",
        {BASE: (15.6, 11.3, 47.5, 78.7, 43.8, 39.4), GSR: (66.0, 51.7, 85.7, 93.4, 71.0, 73.6)},
    ),
    Method(
        "gap",
        "gap, selfRef@4 − maj@4",
        {BASE: (-1.1, 1.7, -0.2, -0.7, 0.3, 0.0), GSR: (6.0, 5.0, 1.1, 0.6, 2.7, 3.1)},
    ),
)
"""Table 1."""

METHODS_NOTE = "average gap on AIME24 and AIME25, published: +5.5 (GSR-7B), +1.15 (QwQ-32B)"


class Shown(NamedTuple):
    """What a published row says of one model on one benchmark."""

    pass_at_1: float | None = None
    oracle: float | None = None
    majority: float | None = None
    refined: float | None = None
    relative: float | None = None
    """The gap over the majority, in percent of it."""


Row = tuple[str, dict[str, Shown]]
"""A row's name, and what it says of each benchmark."""


def _two(pass_24: float, refined_24: float, pass_25: float, refined_25: float) -> dict[str, Shown]:
    return {
        "AIME24": Shown(pass_at_1=pass_24, refined=refined_24),
        "AIME25": Shown(pass_at_1=pass_25, refined=refined_25),
    }


def _three(pass_at_1: Numbers, majority: Numbers, refined: Numbers) -> dict[str, Shown]:
    both = zip(("AIME24", "AIME25"), pass_at_1, majority, refined, strict=True)
    return {name: Shown(pass_at_1=one, majority=voted, refined=own) for name, one, voted, own in both}


ARMS: tuple[Row, ...] = (
    ("base", _two(13.2, 15.6, 7.2, 9.6)),
    ("direct", _two(38.3, 44.3, 29.6, 33.2)),
    ("refine", _two(26.4, 45.0, 23.5, 30.0)),
    ("hybrid", _two(37.5, 51.5, 29.0, 36.5)),
)
"""Table 2: trained on nothing, direct rows, refine rows, both."""

ARMS_NOTE = (
    "20K rows each, 5 epochs, learning rate 4e-5; on AIME25 the base has selfRef@4 as 9.6 here and as 11.3 in Table 1"
)

SIZES: tuple[Row, ...] = (
    ("14B, before", _three((13.5, 12.7), (17.5, 15.8), (16.0, 15.8))),
    ("14B, after", _three((49.4, 36.9), (56.7, 41.7), (68.1, 49.6))),
    ("32B, before", _three((16.7, 12.9), (19.2, 15.8), (22.3, 16.3))),
    ("32B, after", _three((66.3, 54.2), (72.5, 59.2), (75.2, 67.3))),
)
"""Table 3: before and after training."""

TOKENS: dict[str, Numbers] = {
    "self-refinement": (8878, 10477, 5270, 2745, 5910),
    "direct": (13232, 13687, 7732, 3850, 8209),
    "reduction, %": (-32.9, -23.5, -31.8, -28.7, -28.0),
}
"""Table 4: generated tokens of one response, by benchmark."""

COUNTS: dict[int, tuple[tuple[int, int], ...]] = {
    4: ((260, 260), (200, 200), (867, 868), (6604, 6616), (5573, 5584)),
    3: ((152, 156), (92, 96), (147, 148), (581, 616), (1049, 1116)),
    2: ((129, 144), (101, 116), (80, 100), (165, 216), (564, 696)),
    1: ((77, 128), (84, 128), (30, 56), (112, 228), (367, 724)),
    0: ((16, 272), (19, 420), (14, 156), (11, 324), (117, 2680)),
}
"""Table 5: outputs of self-refinement that are correct, of all, by N_c and benchmark."""

BY_N_CORRECT: dict[str, Numbers] = {
    "majority": (100, 100, 94.4, 18.8, 0),
    "knockout": (100, 94.9, 80.6, 56.3, 0),
    "synthesizer": (99.6, 96.2, 83.3, 38.3, 0),
}
"""Figure 5, AIME24: the other methods where 4, 3, 2, 1, 0 of the four candidates are correct."""

BY_N_CORRECT_NOTE = "published for AIME24 where one of four candidates is correct: selfRef@4 60.2, maj@4 18.8"

FILTERS: tuple[tuple[str, str, str], ...] = (
    ("OpenMathReasoning, raw", "540K", "3.2M"),
    ("used in the Kaggle competition", "", "2.2M"),
    ("has_answer_extracted", "", "1.3M"),
    ("has pass_rate_72b_tir", "", "1.2M"),
    ("by problem", "116K", "1.2M"),
    ("pass rate 0.25–0.90", "56K", "617K"),
)
"""Table 6: problems and generations after each filter."""

ROWS: tuple[tuple[str, str, str], ...] = (
    ("refine: 6 candidates each", "56K", "336K"),
    ("refine: prompts", "56K", "56K"),
    ("refine: prompts of ≤ 8,192 tokens", "53K", "53K"),
    ("refine: 10 outputs of the teacher", "53K", "530K"),
    ("refine: by correctness", "", "184K"),
    ("direct: drawn from the pool", "", "184K"),
    ("merged", "", "368K"),
)
"""Table 7: problems and rows after each step."""

NAMED_SIZES: tuple[Row, ...] = (
    ("DeepSeek-R1-Distill-Qwen-7B", {"AIME24": Shown(pass_at_1=54.4)}),
    ("Qwen2.5-32B-Instruct", {"AIME24": Shown(pass_at_1=18.6)}),
)
"""Figure 2, as far as its text names points."""

NAMED_SIZES_NOTE = (
    "published: DeepSeek-R1-Distill-Qwen-7B has a small gap, Qwen2.5-32B-Instruct a larger one; the regime shifts at "
    "about 14B"
)

KS: tuple[Row, ...] = (("k = 2", {"AIME24": Shown(oracle=62.5, refined=63.2)}),)
"""Figure 6: self-refinement of two candidates, and the oracle that selects one of them."""

PUZZLES = "knights_knaves"
OUT_OF_DOMAIN: tuple[Row, ...] = (
    (BASE, {PUZZLES: Shown(pass_at_1=12.9, relative=-7.6)}),
    (GSR, {PUZZLES: Shown(pass_at_1=37.3, relative=7.2)}),
)
"""Figure 7: knights and knaves with four people, not trained on."""

SUMMARY_SHARE, SUMMARY_TOKENS, ALL_TOKENS = "6.6–14.8", "570–960", "> 13,000"
"""Figure 8: share of the summary in percent of the generated tokens, its tokens, and all tokens on AIME."""
