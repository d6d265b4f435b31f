"""Every installed strategy on one candidate set of the miniature family: all models neural, none an oracle.

    python benchmarks/strategies_on_family.py [--problems 60] [--k 4]

Policy, reward model, judge and synthesizer are those that ship. Prints accuracies with intervals, and costs.
"""

from __future__ import annotations

import argparse

import tts

ROLES = {
    "scorer": "hf-reward:miniature/reward",
    "judge": "generic:hf:miniature/judge",
    "synthesizer": "hf:miniature/synthesizer",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--k", type=int, default=4)
    options = parser.parse_args()
    table = tts.compare(
        f"task:sums@size={options.problems},seed=7",
        strategies=sorted(tts.plugins().names("strategy")),
        k=options.k,
        sampling=tts.Sampling(max_tokens=640),
        **ROLES,
    )
    print(table)


if __name__ == "__main__":
    main()
