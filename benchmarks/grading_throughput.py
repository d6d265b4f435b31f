"""Grading 100,000 real answers in one call, against a loop of Math-Verify calls; every verdict that differs is listed.

    python benchmarks/grading_throughput.py [--data DIR] [--count 100000] [--sample 1000]

The answers are those of the published candidate sets, extracted first, and of the graders' own cases, against their
gold answers; they are repeated up to the count. The worker runs before the clock starts and every cache is cold.
Math-Verify's rate is that of `verify(parse(gold), parse(answer))` over a random sample, bare answers wrapped in
`$...$`; the verdicts are compared on every distinct pair.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from pathlib import Path

from answers_grading import math_verify, throughput

import tts
from tts.answers import Answers

Pair = tuple[str, str]


def real_pairs(data: Path) -> list[Pair]:
    """(gold, answer), in the order of the files; responses without an answer are left out."""
    pairs = []
    for path in sorted((data / "candidates").glob("*.jsonl")):
        for found, gold in tts.read_candidate_sets(path):
            pairs += [(gold, one.answer) for one in found if gold is not None and one.answer is not None]
    cases = map(json.loads, (data / "grading" / "cases.jsonl").read_text().splitlines())
    return pairs + [(case["gold"], case["pred"]) for case in cases]


async def graded(pairs: list[Pair]) -> list[bool]:
    async with Answers() as answers:
        return await answers.grade_many(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "../shared/data")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=1000, help="pairs that Math-Verify is timed on")
    parser.add_argument("--compare", type=int, help="distinct pairs whose verdicts are compared; all where left out")
    options = parser.parse_args()
    pairs = real_pairs(options.data)
    distinct = list(dict.fromkeys(pairs))
    taken = throughput(pairs, options.count)
    _, seconds = math_verify(random.Random(0).sample(pairs, min(options.sample, len(pairs))))
    each = sum(seconds) / len(seconds)
    print(f"{len(pairs):,} real answers, {len(distinct):,} distinct pairs, repeated up to {options.count:,}\n")
    print("| answers | ours, s | ours, answers/s | Math-Verify, answers/s | ratio |\n|---|---|---|---|---|")
    print(
        f"| {options.count:,} | {taken:.2f} | {options.count / taken:,.0f} | {1 / each:,.0f} "
        f"| {each * options.count / taken:.0f} |"
    )
    once = throughput(distinct, len(distinct))
    print(
        f"| {len(distinct):,} distinct | {once:.2f} | {len(distinct) / once:,.0f} | {1 / each:,.0f} "
        f"| {each * len(distinct) / once:.0f} |"
    )
    compared = distinct[: options.compare]
    started = time.perf_counter()
    ours, theirs = asyncio.run(graded(compared)), math_verify(compared)[0]
    differ = [(pair, mine, other) for pair, mine, other in zip(compared, ours, theirs, strict=True) if mine != other]
    print(f"\n{len(compared):,} verdicts compared in {time.perf_counter() - started:.0f} s, {len(differ)} differ:\n")
    for (gold, answer), mine, _ in differ:
        print(f"- {'equal' if mine else 'unequal'} here: gold {gold[-70:]!r}, answer {answer[-90:]!r}")


if __name__ == "__main__":
    main()
