"""Grading 100,000 answers in one call, against a loop of Math-Verify calls; every verdict that differs is listed.

    python benchmarks/grading_throughput.py [DATA] [--count 100000] [--sample 1000]

DATA is a folder with candidate sets in `candidates/*.jsonl` and graders' own cases in `grading/cases.jsonl`; answers
are extracted first and repeated up to the count, as strategies and groups repeat them. Without it the answers are made
up, from the forms that models use. The worker runs before the clock starts and every cache is cold. Math-Verify's rate
is that of `verify(parse(gold), parse(answer))` over a random sample, bare answers wrapped in `$...$`; verdicts are
compared on every distinct pair. Seconds are wall and CPU, the worker's included: on a busy machine only CPU says much.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "answers"))

from answers_grading import math_verify
from hostile import Cost

import tts
from tts.answers import Answers, _reading, extract

Pair = tuple[str, str]

# What is said of n right and wrong, as often as it stands here; q is n squared, m twice n.
FORMS = (
    *["{n}"] * 80, "{n}.0", "{n}.00", "x = {n}", "{n} \\text{{ apples}}", "\\${n}", "{n},000", "{n}\\%", "-{n}",
    "\\frac{{{m}}}{{2}}", "\\frac{{{n}}}{{7}}", "\\dfrac{{{n}}}{{7}}", "{n}/7", "{n}\\frac{{1}}{{3}}", "({n}, {m})",
    "[{n}, \\infty)", "\\{{{n}, {m}\\}}", "{n}^\\circ", "\\text{{(C)}}", "\\sqrt{{{q}}}", "{n}\\sqrt{{2}}",
    "\\sqrt{{2}} \\cdot {n}", "{n}\\pi", "2^{{{n}}}", "{n}x + {m}", "{m} + {n}x",
)  # fmt: skip


class Taken(NamedTuple):
    """Seconds for all, wall and CPU."""

    wall: float
    cpu: float


def real_pairs(data: Path) -> list[Pair]:
    """(gold, answer), in the order of the files; responses without an answer are left out."""
    pairs = []
    for path in sorted((data / "candidates").glob("*.jsonl")):
        for found, gold in tts.read_candidate_sets(path, extract=extract):
            pairs += [(gold, one.answer) for one in found if gold is not None and one.answer is not None]
    cases = map(json.loads, (data / "grading" / "cases.jsonl").read_text().splitlines())
    return pairs + [(case["gold"], case["pred"]) for case in cases]


def made_up_pairs(count: int) -> list[Pair]:
    """(gold, answer) in forms that models use, right in half of the cases."""
    draw, pairs = random.Random(0), []
    for _ in range(count):
        n, forms = draw.randrange(2, 1000), draw.choices(FORMS, k=2)
        if draw.random() < 0.8:  # most answers are written as the gold answer is
            forms[1] = forms[0]
        said = [n, n if draw.random() < 0.5 else n + 1]
        gold, answer = (form.format(n=x, m=2 * x, q=x * x) for form, x in zip(forms, said, strict=True))
        pairs.append((gold, answer))
    return pairs


def ours(pairs: list[Pair]) -> tuple[Taken, list[bool]]:
    async def run() -> tuple[Taken, list[bool]]:
        async with Answers() as answers:
            assert await answers.equal(r"\ln 8", r"3\ln 2")  # the worker runs
            _reading._read_cached.cache_clear()
            cost = Cost(answers)
            verdicts = await answers.grade_many(pairs)
            taken = Taken(cost.wall, cost.cpu)
            print(f"<!-- {answers.stats} -->")
            return taken, verdicts

    return asyncio.run(run())


def theirs(pairs: list[Pair]) -> tuple[Taken, list[bool]]:
    used = time.process_time()
    verdicts, seconds = math_verify(pairs)
    return Taken(sum(seconds), time.process_time() - used), verdicts


def row(name: str, count: int, taken: Taken, each: Taken) -> str:
    return (
        f"| {name} | {count:,} | {taken.wall:.2f} | {taken.cpu:.2f} | {count / taken.wall:,.0f} "
        f"| {each.wall * count / taken.wall:.0f} | {each.cpu * count / taken.cpu:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="folder of real answers; made up where left out")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=1000, help="pairs that Math-Verify is timed on")
    parser.add_argument("--compare", type=int, help="distinct pairs whose verdicts are compared; all where left out")
    options = parser.parse_args()
    pairs = real_pairs(options.data) if options.data else made_up_pairs(options.count)
    distinct = list(dict.fromkeys(pairs))
    repeated = (pairs * (options.count // len(pairs) + 1))[: options.count]
    sample = random.Random(0).sample(pairs, min(options.sample, len(pairs)))
    total, _ = theirs(sample)
    each = Taken(total.wall / len(sample), total.cpu / len(sample))
    print(f"{len(pairs):,} {'real' if options.data else 'made-up'} answers, {len(distinct):,} distinct pairs")
    print(
        f"Math-Verify: {1 / each.wall:,.0f} answers/s; {1000 * each.wall:.2f} ms, {1000 * each.cpu:.2f} ms CPU each\n"
    )
    print("| answers | n | s | CPU, s | answers/s | times Math-Verify's rate | by CPU |\n|---|---|---|---|---|---|---|")
    print(row("in one call", len(repeated), ours(repeated)[0], each))
    taken, verdicts = ours(distinct)
    print(row("distinct pairs", len(distinct), taken, each))
    compared = distinct[: options.compare]
    other = theirs(compared)[1]
    differ = [one for one in zip(compared, verdicts, other, strict=False) if one[1] != one[2]]
    print(f"\n{len(compared):,} verdicts compared, {len(differ)} differ:\n")
    for (gold, answer), mine, _ in differ:
        print(f"- {'equal' if mine else 'unequal'} here: gold {gold[-70:]!r}, answer {answer[-90:]!r}")


if __name__ == "__main__":
    main()
