"""The numbers of arXiv 2509.00084, written down a second time, in the order of the paper."""

from __future__ import annotations

BENCHMARKS = ["AIME24", "AIME25", "AMC22-23", "MATH500", "Olympiad", "average"]

TABLE_1 = """
pass@1 | QwQ-Preview | 50.0 | | | 90.6 | 61.2 |
pass@1 | o1-mini | 56.7 | | | 90.0 | |
pass@1 | Qwen2.5-7B-Instruct | 13.2 | 7.2 | 43.6 | 75.9 | 39.5 | 35.9
maj@4 | Qwen2.5-7B-Instruct | 16.7 | 9.6 | 47.7 | 79.4 | 43.5 | 39.4
BoN@4, reward model | Qwen2.5-7B-Instruct, SkyworkRM-27B | 17.1 | 9.2 | 48.0 | 78.6 | 43.0 | 39.2
selfRef@4 | Qwen2.5-7B-Instruct | 15.6 | 11.3 | 47.5 | 78.7 | 43.8 | 39.4
gap, selfRef@4 − maj@4 | Qwen2.5-7B-Instruct | -1.1 | +1.7 | -0.2 | -0.7 | +0.3 | 0.0
pass@1 | GSR-7B | 50.1 | 37.8 | 78.5 | 90.6 | 64.4 | 64.3
maj@4 | GSR-7B | 60.0 | 46.7 | 84.6 | 92.8 | 68.3 | 70.5
maj@5 | GSR-7B | 60.7 | 48.3 | 84.9 | 93.1 | 68.8 | 71.1
BoN@4, judge | GSR-7B, RRM-7B | 60.4 | 46.3 | 80.4 | 90.6 | 64.6 | 68.5
BoN@4, judge | GSR-7B, RM-R1-7B | 62.1 | 45.4 | 84.6 | 93.5 | 69.1 | 70.9
BoN@4, reward model | GSR-7B, SkyworkRM-27B | 58.3 | 46.7 | 81.6 | 92.5 | 67.6 | 69.3
BoN@5, reward model | GSR-7B, SkyworkRM-27B | 59.2 | 46.3 | 82.8 | 92.7 | 67.7 | 69.7
Ref@4, synthesizer | GSR-7B, Synthesizer-8B | 60.2 | 44.0 | 84.0 | 92.0 | 67.7 | 69.6
selfRef@4 | GSR-7B | 66.0 | 51.7 | 85.7 | 93.4 | 71.0 | 73.6
gap, selfRef@4 − maj@4 | GSR-7B | +6.0 | +5.0 | +1.1 | +0.6 | +2.7 | +3.1
"""

# pass@1, selfRef@4 on AIME24, the same on AIME25
TABLE_2 = """
base | 13.2 | 15.6 | 7.2 | 9.6
direct | 38.3 | 44.3 | 29.6 | 33.2
refine | 26.4 | 45.0 | 23.5 | 30.0
hybrid | 37.5 | 51.5 | 29.0 | 36.5
"""

# 14B on AIME24, AIME25, 32B on AIME24, AIME25
TABLE_3 = """
before, pass@1 | 13.5 | 12.7 | 16.7 | 12.9
before, maj@k | 17.5 | 15.8 | 19.2 | 15.8
before, selfRef@k | 16.0 | 15.8 | 22.3 | 16.3
after, pass@1 | 49.4 | 36.9 | 66.3 | 54.2
after, maj@k | 56.7 | 41.7 | 72.5 | 59.2
after, selfRef@k | 68.1 | 49.6 | 75.2 | 67.3
"""

TABLE_4 = """
self-refinement | 8,878 | 10,477 | 5,270 | 2,745 | 5,910
direct | 13,232 | 13,687 | 7,732 | 3,850 | 8,209
reduction, % | -32.9 | -23.5 | -31.8 | -28.7 | -28.0
"""

TABLE_5 = """
N_c = 4 | 260/260 | 200/200 | 867/868 | 6604/6616 | 5573/5584
N_c = 3 | 152/156 | 92/96 | 147/148 | 581/616 | 1049/1116
N_c = 2 | 129/144 | 101/116 | 80/100 | 165/216 | 564/696
N_c = 1 | 77/128 | 84/128 | 30/56 | 112/228 | 367/724
N_c = 0 | 16/272 | 19/420 | 14/156 | 11/324 | 117/2680
"""

TABLE_6 = """
OpenMathReasoning, raw | 540K | 3.2M
used in the Kaggle competition | | 2.2M
has_answer_extracted | | 1.3M
has pass_rate_72b_tir | | 1.2M
by problem | 116K | 1.2M
pass rate 0.25–0.90 | 56K | 617K
"""

TABLE_7 = """
refine: 6 candidates each | 56K | 336K
refine: prompts | 56K | 56K
refine: prompts of ≤ 8,192 tokens | 53K | 53K
refine: 10 outputs of the teacher | 53K | 530K
refine: by correctness | | 184K
direct: drawn from the pool | | 184K
merged | | 368K
"""


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
