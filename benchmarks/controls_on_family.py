"""What the miniature's self-refinement goes by: controls of it and of the vote, on candidates of the miniature.

    python benchmarks/controls_on_family.py [--problems 200] [--k 4]

Policy `hf:miniature`, the task's test problems, temperature 0.6 and top-p 0.95, one refinement of each group.
"""

from __future__ import annotations

import argparse

import tts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--k", type=int, default=4)
    options = parser.parse_args()
    found = tts.eval.controls(
        f"task:sums@size={options.problems},seed=5",
        strategies=["majority", "gsr"],
        k=options.k,
        model="hf:miniature",
        sampling=tts.Sampling(max_tokens=640),
    )
    print(found)


if __name__ == "__main__":
    main()
