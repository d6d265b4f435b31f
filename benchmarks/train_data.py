"""`tts train-data` on 100,000 synthetic rows without model calls: seconds, and growth of resident memory.

Each row is a problem of its own with a gold answer, a pass rate, six recorded candidates and a recorded solution,
so that every stage has all its work but the sampling: reading, rules, decontamination against 1,000 problems, grouping,
grading of 600,000 candidates and 200,000 solutions (once as the teacher's, once for the direct half), refine prompts,
shuffling, splitting, Parquet, card. Run in a process of its own: `python benchmarks/train_data.py [ROWS]`.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tts_trainers.data.pipeline import curate
from tts_trainers.data.recipe import DataRecipe

THINGS = ("pens", "apples", "cards", "seats", "stamps", "tiles", "coins", "shells")
PLACES = ("a shop", "a school", "the harbour", "an old library", "the market", "a small workshop")


def problem(number: int) -> dict[str, Any]:
    """A row; one in five candidates is wrong, half of the pass rates lie in the paper's range."""
    rng = random.Random(number)
    a, b, c = rng.randint(12, 999), rng.randint(3, 99), number
    answer = a * b + c
    text = (
        f"In {rng.choice(PLACES)} there are {a} boxes of {b} {rng.choice(THINGS)} and {c} single ones. "
        "Somebody counts all of them twice, finds one number both times and writes it on the wall. What is it?"
    )
    return {
        "problem": text,
        "answer": str(answer),
        "pass_rate": "n/a" if rng.random() < 0.1 else f"{rng.random():.4f}",
        "candidates": [_solution(a, b, c, answer + rng.choice([0, 0, 0, 0, 10])) for _ in range(6)],
        "solution": _solution(a, b, c, answer),
    }


def _solution(a: int, b: int, c: int, said: int) -> str:
    steps = "\n".join(
        f"Step {i}: {a * i} times {b} is {a * i * b}, which is {i} times the boxes alone." for i in range(1, 7)
    )
    return (
        f"<think>\n{steps}\n</think>\n\nThe boxes hold {a}·{b} = {a * b} together.\nWith {c} single ones that is "
        f"{a * b} + {c} = {said}.\nSo the number on the wall is $\\boxed{{{said}}}$."
    )


def recipe(data: Path, evaluation: Path) -> DataRecipe:
    """Everything recorded; no rule but the presence of a pass rate drops rows."""
    return DataRecipe.model_validate(
        {
            "source": {
                "data": str(data),
                "pass_rate": "pass_rate",
                "candidates": "candidates",
                "solutions": "solution",
            },
            "filter": {"pass_rate": [0.0, 1.0], "evaluation": [str(evaluation)]},
            "student": {"model": "recorded"},
            "teacher": {"model": "recorded"},
        }
    )


def _resident_mb() -> float:
    """Resident memory now."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def main(rows: int) -> None:
    """Write the rows, run the pipeline, print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        data, evaluation, out = (Path(folder) / name for name in ("raw.jsonl", "evaluation.jsonl", "out"))
        with data.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(problem(i)) + "\n" for i in range(rows))
        with evaluation.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"problem": problem(i * 97)["problem"]}) + "\n" for i in range(1000))
        size = data.stat().st_size / 2**20
        before, started, cpu = _resident_mb(), time.perf_counter(), time.process_time()
        last = started

        def say(text: str) -> None:
            nonlocal last
            now, last = time.perf_counter() - last, time.perf_counter()
            print(f"[{now:.1f} s, {_resident_mb():.0f} MB]\n{text}", file=sys.stderr, flush=True)

        curate(recipe(data, evaluation), out, say)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        written = sum(file.stat().st_size for file in out.iterdir()) / 2**20
    print("| rows | raw MB | s | CPU s | rows/s | resident MB before | peak MB | growth MB | written MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {rows:,} | {size:.0f} | {seconds:.1f} | {cpu:.1f} | {rows / seconds:,.0f} "
        f"| {before:.0f} | {peak:.0f} | {peak - before:.0f} | {written:.0f} |"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
