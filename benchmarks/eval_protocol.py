"""`tts eval` of the paper's six strategies on 675 problems × 16, every model call answered by the store.

    python benchmarks/eval_protocol.py [--problems 675] [--samples 16]

The models are the tests' doubles: a policy whose answers are integers, fractions and expressions in several wordings,
a scorer, a judge, a synthesizer. The first run fills the store; what is timed is the second, which asks nothing, grades
and writes the whole report. Prints wall and CPU seconds, children included.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from compare_strategies import WORDINGS
from doubles import FakeBackend, FirstJudge, LengthScorer

import tts
from tts.eval import Evaluation, evaluate

STRATEGIES = ["majority", "best_of_n", "weighted_majority", "knockout", "synthesizer", "gsr"]
REPORT = ("report.md", "report.json", "results.jsonl")


def spoken(request: tts.Request, index: int) -> str:
    """Right in about half of the cases; refinements more often."""
    question = request.messages[-1].content.split("Number ")[1].split("?")[0]
    gold = 2 + int(question) % 400
    draw = random.Random(request.seeds[index])
    n = gold if draw.random() < (0.7 if "Response 1" in request.messages[-1].content else 0.5) else gold + 1
    answer = draw.choice(WORDINGS).format(n=n, m=2 * n, q=n * n)
    return f"<think>{'Let us see. ' * draw.randrange(1, 9)}</think>So it is \\boxed{{{answer}}}."


class Policy(FakeBackend):
    script = staticmethod(spoken)
    capabilities = tts.Capabilities(seed=True, concurrency=256, context_length=100_000)


class Score(LengthScorer):
    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:  # noqa: ARG002
        values = [int(hashlib.md5(r.text.encode()).hexdigest()[:6], 16) for r in responses]
        return [tts.Score(value=value, usage=tts.Usage(calls=1, prompt_tokens=5)) for value in values]


def run(folder: Path, problems: int, samples: int) -> tuple[Evaluation, float, float]:
    examples = [
        tts.Example(problem=tts.Problem(id=str(i), prompt=f"Number {i}?"), answer=str(2 + i % 400))
        for i in range(problems)
    ]
    started, used = time.perf_counter(), cpu()
    roles = dict.fromkeys(("model", "scorer", "judge", "synthesizer"), "doubles:m")
    found = evaluate(examples, folder, n=samples, strategies=STRATEGIES, **roles)
    return found, time.perf_counter() - started, cpu() - used


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=675)
    parser.add_argument("--samples", type=int, default=16)
    options = parser.parse_args()
    for kind, cls in (("backend", Policy), ("scorer", Score), ("judge", FirstJudge)):
        tts.plugins().register(kind, "doubles", cls)
    with tempfile.TemporaryDirectory() as folder:
        _, filling, _ = run(Path(folder), options.problems, options.samples)
        before = [(Path(folder) / name).read_bytes() for name in REPORT]
        found, wall, used = run(Path(folder), options.problems, options.samples)
        assert found.comparison.spent == {}, "the second run asks no model"
        assert [(Path(folder) / name).read_bytes() for name in REPORT] == before, "and says the same"
        size = sum(path.stat().st_size for path in Path(folder).glob("store.db*")) / 1e6
    print(found.tables()[0])
    print(f"\n{options.problems} problems × {options.samples}, {len(STRATEGIES)} strategies, store {size:.0f} MB")
    print(f"filling the store {filling:.1f} s; from the store: wall {wall:.1f} s, CPU {used:.1f} s (workers included)")


if __name__ == "__main__":
    main()
