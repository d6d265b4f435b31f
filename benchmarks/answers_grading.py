"""Grades published cases with the answers service and, side by side, with Math-Verify alone.

python benchmarks/answers_grading.py [--data DIR] [--all]

Math-Verify's column is `verify(parse(gold), parse(answer))` with its own timeouts, bare answers wrapped in `$...$`.
Rows with `config` hold only under a switch of another grader; neither side is given the switch. `adjudicated.jsonl` has
the verdicts of the data that were read one by one and are wrong, with the reason: all where ours differed were read,
and all where ours agreed but for pairs of plain numbers.
"""

import argparse
import asyncio
import json
import re
import statistics
import time
from pathlib import Path
from typing import Any

from tts.answers import Answers, expected, extract, reading

ADJUDICATED = Path(__file__).with_name("adjudicated.jsonl")
RESPONSES = Path(__file__).resolve().parents[1] / "tests/data/responses.jsonl"

KNOWN = [
    ("1/2004!", "1/2006!", False), ("10^{-20}", r"2\cdot10^{-20}", False), ("9**9**9**9", "9", False),
    ("81", "(x+y)^2=81", False), ("5^(5^(5^(5^5)))", "5", False), ("1 000", "1000", True), ("1000,99", "1000.99", True),
    ("1,22", "1.22", True), (r"\$10", "10", True), ("(10, 4, -2)", "(4, 10, -2)", False),
    (r"\{1,2\}", r"\{2,1\}", True),
    (r"\boxed{1,-2}", r"\boxed{-2} and \boxed{1}", True), ("1e-5", "0.00001", True), ("E_{1},E_{2}", "E_1,E_2", True),
    ("½", "0.5", True), ("√2", r"\sqrt{2}", True), ("x²", "x^2", True), ("∞", r"\infty", True), ("１２", "12", True),
    ("٣", "3", True), ("9-5=4", "4", True), ("4", "9-5=4", True), (r"\frac{1}{2}}}}", r"\frac{1}{2}", True),
    ("7" * 5000, "7" * 5000 + ".0", True), (r"1-\frac{1}{e}", r"1+\frac{1}{e}", False), (r"\pm 2021", "2021", False),
]  # fmt: skip


def wrapped(text: str) -> str:
    return text if re.search(r"\$|\\boxed|\\\(|\\\[", text) else f"${text}$"


def math_verify(pairs: list[tuple[str, str]]) -> tuple[list[bool], list[float]]:
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    verdicts, seconds = [], []
    for gold, answer in pairs:
        start = time.perf_counter()
        verdicts.append(verify(parse(wrapped(gold)), parse(wrapped(answer))))
        seconds.append(time.perf_counter() - start)
    return verdicts, seconds


def responses() -> None:
    """Responses written for the tests, by kind: right when they were written, right now, right for Math-Verify.

    What a round had right when it was written, before its faults were mended, is the estimate for what nobody has seen.
    """
    rows = [json.loads(line) for line in RESPONSES.read_text("utf-8").splitlines()]

    async def judged() -> list[bool]:
        async with Answers() as answers:
            pairs = [(row["gold"], extract(row["prediction"])) for row in rows]
            return await answers.grade_many(pairs, [expected(row.get("problem", "")) for row in rows])

    verdicts = asyncio.run(judged())
    theirs, _ = math_verify([(row["gold"], row["prediction"]) for row in rows])
    print(
        "\n| responses written for the tests | n | right when written | right now | Math-Verify |\n"
        "|---|---|---|---|---|"
    )
    kinds: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        for name in (row["kind"], f"**round {row['round']}**"):
            kinds.setdefault(name, []).append(place)
    for name, places in sorted(kinds.items()):
        first = sum(rows[place]["first"] for place in places)
        now, their = (sum(side[place] == rows[place]["equal"] for place in places) for side in (verdicts, theirs))
        print(f"| {name} | {len(places)} | {' | '.join(f'{one / len(places):.3f}' for one in (first, now, their))} |")


def ours(pairs: list[tuple[str, str]]) -> tuple[list[bool], list[float], str]:
    async def run() -> tuple[list[bool], list[float], str]:
        verdicts, seconds = [], []
        async with Answers() as answers:
            for gold, answer in pairs:
                start = time.perf_counter()
                verdicts.append(await answers.equal(gold, answer))
                seconds.append(time.perf_counter() - start)
            return verdicts, seconds, str(answers.stats)

    return asyncio.run(run())


def throughput(pairs: list[tuple[str, str]], count: int) -> float:
    """Seconds to grade `count` pairs in one call, the worker running and every cache cold."""

    async def run() -> float:
        async with Answers() as answers:
            await answers.equal(r"\ln 8", r"3\ln 2")
            reading._read_cached.cache_clear()
            start = time.perf_counter()
            await answers.grade_many((pairs * (count // len(pairs) + 1))[:count])
            return time.perf_counter() - start

    return asyncio.run(run())


def wild(directory: Path) -> None:
    """Whole responses with the gold answers, by kind: extracted, then graded; debatable rows are left out."""
    path = directory / "grading/wild.jsonl"
    if not path.is_file():
        return
    rows = [row for row in map(json.loads, path.read_text("utf-8").splitlines()) if not row["debatable"]]
    verdicts = ours([(row["gold"], extract(row["prediction"]) or "no answer") for row in rows])[0]
    right = [verdict == row["equal"] for verdict, row in zip(verdicts, rows, strict=True)]
    theirs = sum(row["math_verify"] == row["equal"] for row in rows)
    print("\n| responses from bug threads, everyday dress | n | ours | Math-Verify |\n|---|---|---|---|")
    print(f"| all kinds | {len(rows)} | {sum(right) / len(rows):.4f} | {theirs / len(rows):.4f} |")
    for row, fine in zip(rows, right, strict=True):
        if not fine:
            print(f"- {row['kind']}: want {row['equal']}: {row['gold'][:60]!r} | {row['prediction'][:100]!r}")


def rate(name: str, pairs: list[tuple[str, str]], count: int, their_each: float) -> str:
    taken = throughput(pairs, count)
    return (
        f"| {name} | {count:,} | {taken:.3f} | {taken / count * 1e6:.1f} | {their_each * 1e6:.0f} "
        f"| {their_each * count / taken:.0f} |"
    )


def reading_alone(texts: list[str]) -> str:
    """Processor time of extraction, which other work on the machine does not lengthen much."""
    start = time.process_time()
    for text in texts:
        extract(text)
    each = (time.process_time() - start) / len(texts)
    return f"\nExtraction alone: {each * 1e6:.0f} us of processor for each of {len(texts):,} whole responses"


def gsm8k(directory: Path) -> list[tuple[str, str]]:
    rows = map(json.loads, (directory / "candidates/gsm8k_gpt3_n4.jsonl").read_text().splitlines())
    return [(row["answer"], text) for row in rows for text in row["candidates"]]


def summary(name: str, seconds: list[float]) -> str:
    ordered = sorted(1000 * each for each in seconds)
    p99 = ordered[int(0.99 * len(ordered))]
    mean, median = statistics.mean(ordered), statistics.median(ordered)
    return f"| {name} | {mean:.2f} | {median:.3f} | {p99:.1f} | {ordered[-1]:.0f} |"


def accuracy(cases: list[dict[str, Any]], verdicts: list[bool], theirs: list[bool]) -> None:
    """Accuracy and false positives by kind of row; those of ours that Math-Verify has not are listed to be read."""
    head = ["cases", "n", "ours", "Math-Verify", "false positives, ours", "Math-Verify", "ours alone"]
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    alone = []
    for kind in ("unit_test", "grader_verdict"):
        for config in (False, True):
            rows = [i for i, case in enumerate(cases) if case["kind"] == kind and ("config" in case) == config]
            if not rows:
                continue
            right = [sum(side[i] == cases[i]["equal"] for i in rows) / len(rows) for side in (verdicts, theirs)]
            false = [{i for i in rows if side[i] and not cases[i]["equal"]} for side in (verdicts, theirs)]
            new = sorted(false[0] - false[1])
            alone += new
            counts = " | ".join(str(len(one)) for one in (*false, new))
            name = f"{kind}{' with config' * config}"
            print(f"| {name} | {len(rows)} | {right[0]:.4f} | {right[1]:.4f} | {counts} |")
    adjudicated(cases, verdicts, theirs)
    print("\nEqual here, unequal by label and by Math-Verify:", "" if alone else "none")
    for i in alone:
        print(f"- {cases[i]['kind']}: {cases[i]['gold'][-90:]!r} | {cases[i]['pred'][-120:]!r}")


def adjudicated(cases: list[dict[str, Any]], verdicts: list[bool], theirs: list[bool]) -> None:
    """Accuracy on the real verdicts with labels that were read and found wrong put right."""
    rows = [json.loads(line) for line in ADJUDICATED.read_text("utf-8").splitlines()]
    found = {(row["gold"], row["pred"]): row["equal"] for row in rows}
    real = [i for i, case in enumerate(cases) if case["kind"] == "grader_verdict"]
    truth = {i: found.get((cases[i]["gold"], cases[i]["pred"]), cases[i]["equal"]) for i in real}
    wrong = [i for i in real if verdicts[i] != truth[i]]
    count = sum(truth[i] != cases[i]["equal"] for i in real)
    false = sum(verdicts[i] and not truth[i] for i in real)
    right = sum(theirs[i] == truth[i] for i in real)
    print(
        f"| grader_verdict, {count} labels put right | {len(real)} | {1 - len(wrong) / len(real):.4f} "
        f"| {right / len(real):.4f} | {false} | {sum(theirs[i] and not truth[i] for i in real)} | |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "../shared/data")
    parser.add_argument("--all", action="store_true", help="print every case that differs from its label")
    arguments = parser.parse_args()
    cases = [json.loads(line) for line in (arguments.data / "grading/cases.jsonl").read_text().splitlines()]
    pairs = [(case["gold"], case["pred"]) for case in cases]
    verdicts, seconds, stats = ours(pairs)
    theirs, their_seconds = math_verify(pairs)
    accuracy(cases, verdicts, theirs)
    print("\n| ms per case, one at a time | mean | median | p99 | worst |\n|---|---|---|---|---|")
    print(summary("ours, start of the worker included", seconds), summary("Math-Verify", their_seconds), sep="\n")
    print(f"\n{stats}")
    wild(arguments.data)
    responses()
    known, _, _ = ours([(gold, answer) for gold, answer, _ in KNOWN])
    wrong = [row for row, verdict in zip(KNOWN, known, strict=True) if row[2] != verdict]
    print(f"\nKnown faults of Math-Verify answered right: {len(KNOWN) - len(wrong)} of {len(KNOWN)}", *wrong)
    real = gsm8k(arguments.data)
    print(reading_alone([text for _, text in real]))
    each = statistics.mean(math_verify(real[:400])[1])
    extracted = [(gold, extract(text) or "") for gold, text in real]
    their_each = statistics.mean(math_verify(extracted[:400])[1])
    print("\n| GSM8K, one call | n | s | us each | Math-Verify, us each | ratio |\n|---|---|---|---|---|---|")
    print(rate("whole responses", real, len(real), each))
    print(rate("extracted answers", extracted, len(extracted), their_each))
    print(rate("extracted answers, repeated", extracted, 100_000, their_each))
    if arguments.all:
        for case, verdict, their in zip(cases, verdicts, theirs, strict=True):
            if verdict != case["equal"]:
                print(f"- want {case['equal']}, Math-Verify {their}: {case['gold'][-90:]!r} | {case['pred'][-120:]!r}")


if __name__ == "__main__":
    main()
