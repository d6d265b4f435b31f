"""`compare` of 8 strategies on 500 stored problems without a model call: votes and recorded scores.

    python benchmarks/compare_strategies.py [--problems 500] [--k 8]

The candidates' answers are integers, fractions and expressions in several wordings, right in about half of the cases,
so that equivalence and grading have work to do. Prints wall and CPU seconds, children included, and the table.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

import tts

WORDINGS = ("{n}", "{n}.0", "\\frac{{{m}}}{{2}}", "\\sqrt{{{q}}}", "{n} \\text{{ apples}}", "x = {n}")
STRATEGIES = [
    tts.strategy("first"),
    tts.strategy("majority"),
    tts.strategy("majority", ties="seeded"),
    tts.strategy("adaptive_consistency"),
    tts.strategy("best_of_n"),
    tts.strategy("weighted_majority"),
    tts.strategy("weighted_majority", reduce="max"),
    tts.strategy("weighted_majority", softmax=True),
]


def stored(path: Path, problems: int, k: int) -> Path:
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(problems):
            gold = draw.randrange(2, 400)
            said = [gold if draw.random() < 0.5 else gold + draw.randrange(1, 4) for _ in range(k)]
            texts = [draw.choice(WORDINGS).format(n=n, m=2 * n, q=n * n) for n in said]
            row = {
                "problem": f"Problem {number}: how many?",
                "answer": str(gold),
                "candidates": [f"Let us see. Step {i}.\nSo it is \\boxed{{{text}}}." for i, text in enumerate(texts)],
                "scores": [round(draw.gauss(float(n == gold), 1.0), 4) for n in said],
            }
            file.write(json.dumps(row) + "\n")
    return path


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--k", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = stored(Path(folder, "sets.jsonl"), arguments.problems, arguments.k)
        started, used = time.perf_counter(), cpu()
        done = tts.compare(path, strategies=STRATEGIES, k=arguments.k, scorer="recorded:scores")
        wall, used = time.perf_counter() - started, cpu() - used
    assert done.failed == []
    print(f"{arguments.problems} problems x {arguments.k} candidates, {len(STRATEGIES)} strategies, no model call")
    print(f"wall {wall:.2f} s, CPU {used:.2f} s (workers included)\n")
    print(done)


if __name__ == "__main__":
    main()
