"""Rates of answers told equal whose meaning was kept, and of answers told equal whose meaning was changed.

python benchmarks/answers_metamorphic.py [--data DIR] [--generated 1000]

The gold answers are those of every data set in DIR/benchmarks and DIR/candidates, and generated ones of each kind; the
changes are those of tests/answers/metamorphic.py. Goals: kept at least 99 %, changed at most 0.1 %.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "answers"))

from metamorphic import Pair, generated, pairs

from tts.answers import Answers

SHOWN = 3  # failures printed of each change


def golds(directory: Path) -> list[str]:
    """Answers in the rows of every data set, each once; words and long answers left out."""
    found: dict[str, None] = {}
    for path in sorted([*directory.glob("benchmarks/*.jsonl"), *directory.glob("candidates/*.jsonl")]):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            answer = row.get("answer", row.get("final_answer"))
            for one in answer if isinstance(answer, list) else [answer]:
                text = str(one).rpartition("####")[2].strip().strip("$") if one is not None else ""
                if 0 < len(text) < 80 and any(sign.isdigit() for sign in text) and "\\text" not in text:
                    found[text] = None
    return list(found)


async def failures(made: list[Pair]) -> list[Pair]:
    """The pairs on which the verdict is not what the change says."""
    async with Answers() as answers:
        verdicts = await answers.judge_many([(one.gold, one.answer) for one in made])
        print(answers.stats)
    return [one for one, verdict in zip(made, verdicts, strict=True) if bool(verdict) != one.kept]


def table(made: list[Pair], wrong: list[Pair]) -> None:
    counts, missed = Counter((one.kept, one.change) for one in made), Counter((one.kept, one.change) for one in wrong)
    print("| meaning | change | pairs | told equal |\n|---|---|---|---|")
    for (kept, change), count in sorted(counts.items(), reverse=True):
        equal = count - missed[kept, change] if kept else missed[kept, change]
        print(f"| {'kept' if kept else 'changed'} | {change} | {count} | {100 * equal / count:.2f} % |")
    for kept in (True, False):
        count, false = sum(one.kept == kept for one in made), sum(one.kept == kept for one in wrong)
        rate = (count - false if kept else false) / max(count, 1)
        print(f"| **{'kept' if kept else 'changed'}** | all | {count:,} | **{100 * rate:.2f} %** |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "../shared/data")
    parser.add_argument("--generated", type=int, default=1000)
    parser.add_argument("--limit", type=int, default=None, help="gold answers of data sets at most")
    options = parser.parse_args()
    real = golds(options.data)[: options.limit]
    made = list(pairs([*real, *generated(options.generated)]))
    wrong = asyncio.run(failures(made))
    print(f"{len(real):,} gold answers of data sets, {options.generated:,} generated\n")
    table(made, wrong)
    shown: Counter[tuple[bool, str]] = Counter()
    for one in wrong:
        shown[one.kept, one.change] += 1
        if shown[one.kept, one.change] <= SHOWN:
            print(f"- {'kept' if one.kept else 'changed'}, {one.change}: {one.gold!r} | {one.answer!r}")


if __name__ == "__main__":
    main()
