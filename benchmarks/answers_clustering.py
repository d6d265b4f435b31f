"""Clusters real answers and compares the partitions with pairwise Math-Verify.

python benchmarks/answers_clustering.py [--data DIR]

Warm: the worker process runs, SymPy is imported in it, regular expressions are compiled. Cold: every cache of
readings, expressions and verdicts (a new service and a new worker for each repetition).
"""

import argparse
import asyncio
import json
import random
import time
from itertools import combinations
from pathlib import Path

from tts.answers import Answers, extract, reading

FAMILIES = {
    "64 distinct polynomials": [f"{place + 2}x^2+{place}x-{place * place}" for place in range(64)],
    "64 distinct sums of roots": [rf"\sqrt{{{place + 2}}}+{place}" for place in range(64)],
    "64 formulas in sines": [rf"{place + 2}\sin x+{place}" for place in range(64)],
    "1,024 decimals": [f"{random.Random(place).random() * 100:.4f}" for place in range(1024)],
}
SETS = ("aime2025_gpt5_n64", "math100_qwen25math_n8_rm", "gsm8k_gpt3_n4")
REPETITIONS = 5


def load(path: Path) -> list[list[str | None]]:
    """Extracted answers, per problem."""
    rows = map(json.loads, path.read_text().splitlines())
    return [[extract(text) for text in row["candidates"]] for row in rows]


def ours(problems: list[list[str | None]]) -> tuple[float, list[tuple[int | None, ...]], int]:
    """Best time in seconds, partitions, comparisons that needed algebra."""

    async def once() -> tuple[float, list[tuple[int | None, ...]], int]:
        async with Answers() as answers:
            await answers.equal(r"\ln 8", r"3\ln 2")
            reading._read_cached.cache_clear()
            before = answers.stats.compared
            start = time.perf_counter()
            labels = [(await answers.cluster(problem)).labels for problem in problems]
            return time.perf_counter() - start, labels, answers.stats.compared - before

    return min((asyncio.run(once()) for _ in range(REPETITIONS)), key=lambda run: run[0])


def math_verify(problems: list[list[str | None]]) -> tuple[float, list[tuple[int | None, ...]]]:
    """Time and partitions of all pairs of distinct answers, each parsed once, either one being the gold."""
    from math_verify import parse, verify

    start = time.perf_counter()
    partitions = []
    for problem in problems:
        distinct = list(dict.fromkeys(answer for answer in problem if answer is not None))
        parsed = [parse(f"${answer}$") for answer in distinct]
        classes = list(range(len(distinct)))
        for i, j in combinations(range(len(distinct)), 2):
            if verify(parsed[i], parsed[j]) or verify(parsed[j], parsed[i]):
                classes = [classes[i] if name == classes[j] else name for name in classes]
        numbers: dict[int, int] = {}
        labels: list[int | None] = []
        for answer in problem:
            name = None if answer is None else classes[distinct.index(answer)]
            labels.append(None if name is None else numbers.setdefault(name, len(numbers)))
        partitions.append(tuple(labels))
    return time.perf_counter() - start, partitions


def difference(problem: list[str | None], one: tuple[int | None, ...], other: tuple[int | None, ...]) -> str:
    """Pairs of distinct answers on which two partitions disagree."""
    found = {}
    for i, j in combinations(range(len(problem)), 2):
        if problem[i] != problem[j] and (one[i] == one[j]) != (other[i] == other[j]):
            found[tuple(sorted((str(problem[i]), str(problem[j]))))] = "equal" if one[i] == one[j] else "unequal"
    return "; ".join(f"`{a}` and `{b}`: here {verdict}" for (a, b), verdict in sorted(found.items()))


async def family(name: str, distinct: list[str]) -> str:
    """A line on answers that all differ: seconds, comparisons by workers, longest time without a turn of the loop."""
    longest, done = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not done:
            start = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - start)

    async with Answers() as answers:
        await answers.equal(r"\ln 8", r"3\ln 2")
        before = answers.stats.compared
        watcher = asyncio.create_task(watch())
        start = time.perf_counter()
        classes = len((await answers.cluster(distinct)).sizes)
        taken, done = time.perf_counter() - start, True
        await watcher
        compared = answers.stats.compared - before
    return f"| {name} | {classes} | {taken:.3f} | {compared} | {longest:.3f} |"


def families() -> None:
    print("\n| answers that all differ | classes | s | by algebra | longest without a turn of the loop, s |")
    print("|---|---|---|---|---|")
    for name, distinct in FAMILIES.items():
        print(asyncio.run(family(name, distinct)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "../shared/data")
    directory = parser.parse_args().data / "candidates"
    differences = []
    print("| set | problems x k | distinct | by algebra | ours, s | pairwise Math-Verify, s | partitions that differ |")
    print("|---|---|---|---|---|---|---|")
    for name in SETS:
        problems = load(directory / f"{name}.jsonl")
        distinct = sum(len(set(problem) - {None}) for problem in problems)
        seconds, labels, compared = ours(problems)
        reference_seconds, reference = math_verify(problems)
        found = [difference(*row) for row in zip(problems, labels, reference, strict=True)]
        found = [f"{name}: {text}" for text in found if text]
        differences += found
        print(
            f"| {name} | {len(problems)} x {len(problems[0])} | {distinct} | {compared} | {seconds:.3f} "
            f"| {reference_seconds:.2f} | {len(found)} |"
        )
    families()
    print("\nDifferences:\n")
    print("\n".join(f"- {text}" for text in differences) or "none")


if __name__ == "__main__":
    main()
