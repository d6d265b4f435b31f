"""500 generated hostile answers: how long each takes to extract and to grade, and how much memory it takes.

    python benchmarks/grading_hostile.py [--count 500] [--seed 0]

Each is graded as the answer to a gold answer that looks like it, so that no shortcut ends it, and as the gold answer.
Limits: 3 s for any of it, 512 MB for any process; the service must answer right after each. The time is wall time or,
where other work takes the processors, the processor time of this process and its workers.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "answers"))

from hostile import Cost, hostile

from tts.answers import Answers, extract

SECONDS, MEGABYTES = 3.0, 512


def like(text: str) -> str:
    """Another answer of the same kind: one digit more is another number, one letter another expression."""
    middle = len(text) // 2
    return f"{text[:middle]}7{text[middle:]}"


async def measure(count: int, seed: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and processor seconds of each grading, by kind."""
    taken: dict[str, list[tuple[float, float]]] = defaultdict(list)
    async with Answers() as answers:
        assert await answers.equal("\\ln 8", "3\\ln 2")  # the worker runs
        for kind, text in hostile(count, seed):
            for gold, answer in ((like(text), text), (text, "9")):
                cost = Cost(answers)
                found = extract(f"So the answer is \\boxed{{{answer}}}.")
                await answers.equal(gold, found or "")
                taken[kind].append((cost.wall, cost.cpu))
            assert await answers.equal("12", "12.0")
        assert await answers.equal("\\ln 9", "2\\ln 3")
        print(answers.stats)
    return taken


def peak(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    taken = asyncio.run(measure(options.count, options.seed))
    print("\n| kind | gradings | mean, ms of processor | worst, s of processor | worst, s |\n|---|---|---|---|---|")
    for kind, costs in taken.items():
        walls, cpus = zip(*costs, strict=True)
        print(f"| {kind} | {len(costs)} | {1000 * sum(cpus) / len(cpus):.1f} | {max(cpus):.2f} | {max(walls):.2f} |")
    worst = max(min(cost) for costs in taken.values() for cost in costs)
    memory = peak(resource.RUSAGE_CHILDREN), peak(resource.RUSAGE_SELF)
    print(f"\nworst {worst:.2f} s (limit {SECONDS:g}); MB: a worker {memory[0]:.0f}, the program {memory[1]:.0f}")
    print(f"over a limit: {'none' if worst <= SECONDS and max(memory) <= MEGABYTES else 'YES'}")


if __name__ == "__main__":
    main()
