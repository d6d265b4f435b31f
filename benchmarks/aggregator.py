"""What rewards changed: the Refinement Gap after reinforcement learning minus the gap before, on the same problems.

    python benchmarks/aggregator.py --before hf:runs/sft --after hf:runs/aggregator [--groups 1000] [--k 4]

Each model refines its own candidates of test problems of the task `sums`, temperature 0.6. Printed for both: vote,
self-refinement, gap; then the difference of the gaps, paired by problem, and apart for the problems on which the vote
over the candidates of the model before was wrong. Intervals are of 95 %.
"""

from __future__ import annotations

import argparse

import tts
from tts.eval import Comparison, Estimate, Graded, clustered_difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", required=True)
    parser.add_argument("--after", required=True)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--k", type=int, default=4)
    options = parser.parse_args()
    found = {name: compared(getattr(options, name), options) for name in ("before", "after")}
    print("| model | pass@1 | majority | self-refinement | gap |\n|---|---:|---:|---:|---:|")
    for name, one in found.items():
        votes, refined = (one.accuracy(strategy) for strategy in ("majority", "gsr"))
        figures = (one.pass_at_1, votes, refined, one.gap("gsr", "majority"))
        print(f"| {name} | {' | '.join(map(shown, figures))} |")
    gaps = {name: by_problem(one) for name, one in found.items()}
    votes_before = {row.outcome.problem.digest: share(row, "majority") for row in found["before"].rows}
    print("\n| problems | number | gap after minus gap before |\n|---|---:|---:|")
    for what, wrong_only in (("all", False), ("vote before was wrong", True)):
        kept = [name for name in gaps["before"] if name in gaps["after"] and not (wrong_only and votes_before[name])]
        changed = clustered_difference((name, gaps["after"][name] - gaps["before"][name]) for name in kept)
        print(f"| {what} | {len(kept)} | {shown(changed)} |")


def compared(model: str, options: argparse.Namespace) -> Comparison:
    return tts.compare(
        f"task:sums@size={options.groups},seed=5",
        strategies=["majority", "gsr"],
        k=options.k,
        model=model,
        sampling=tts.Sampling(max_tokens=640),
    )


def share(row: Graded, strategy: str) -> float:
    """The share of the strategy's answers to this group that are right."""
    verdicts = (row.decisions or {}).get(strategy, ())
    return sum(verdicts) / len(verdicts) if verdicts else 0.0


def by_problem(found: Comparison) -> dict[str, float]:
    """The gap on each problem: self-refinement right, less the vote right."""
    return {row.outcome.problem.digest: share(row, "gsr") - share(row, "majority") for row in found.rows}


def shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{100 * estimate.mean:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


if __name__ == "__main__":
    main()
