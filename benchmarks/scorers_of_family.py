"""How often a scorer orders a right and a wrong response to one problem right, on held-out problems of the family.

    python benchmarks/scorers_of_family.py [--problems 200] [--k 8]

Candidates are those of the base and of the hybrid model that ship. Every pair of a right and a wrong candidate of one
problem counts, each problem alike; intervals are bootstrapped over problems. A coin orders half of the pairs right.
Two controls: the shorter response, and the likelihood with the problem before it swapped for the next one. What orders
as well without the right problem checks what a response computes, not what was asked.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import tts
from tts_backends.scorers.hf_confidence import HFConfidence, Likelihood
from tts_backends.scorers.hf_reward import HFReward
from tts_backends.scorers.length import Length

SCORERS: dict[str, Callable[[], Any]] = {
    "reward model": lambda: HFReward("miniature/reward", HFReward.Options()),
    "likelihood under the base model": lambda: Likelihood("miniature/base", Likelihood.Options()),
    "likelihood under the hybrid model": lambda: Likelihood("miniature", Likelihood.Options()),
    "likelihood under the judge": lambda: Likelihood("miniature/judge", Likelihood.Options()),
    "self-certainty of the hybrid model": lambda: HFConfidence("miniature", HFConfidence.Options()),
    "control: the shorter": lambda: Length("shorter", Length.Options()),
}
SWAPPED = ("likelihood under the base model", "likelihood under the hybrid model")
POLICIES = {"base": "hf:miniature/base", "hybrid": "hf:miniature"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--k", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = f"task:sums@size={options.problems},seed=11"
    print("| candidates of | scorer | problems with both | ordered right |")
    print("|---|---|---:|---:|")
    for policy, reference in POLICIES.items():
        drawn = tts.sample(task, k=options.k, model=reference, sampling=tts.Sampling(max_tokens=640))
        sets = [(found, [same(one.answer, gold) for one in found.candidates]) for found, gold in drawn.sampled]
        mixed = [(found, right) for found, right in sets if any(right) and not all(right)]
        others = [(found, right, mixed[at - 1][0].problem) for at, (found, right) in enumerate(mixed)]
        own = [(found, right, found.problem) for found, right in mixed]
        asked = [(name, load, own) for name, load in SCORERS.items()]
        asked += [(f"control: {name}, of another problem", SCORERS[name], others) for name in SWAPPED]
        for name, load, given in asked:
            shares = asyncio.run(ordered(load(), given))
            low, high = interval(shares)
            print(f"| {policy} | {name} | {len(shares)} | {shares.mean():.1%} [{low:.1%}, {high:.1%}] |", flush=True)


def same(answer: str | None, gold: str | None) -> bool:
    return answer is not None and gold is not None and tts.answers.fast_equal(gold, answer)


async def ordered(scorer: Any, mixed: list[tuple[tts.CandidateSet, list[bool], tts.Problem]]) -> np.ndarray:
    """For each problem the share of its pairs that are ordered right; a tie is half of one."""
    shares = []
    for found, verdicts, problem in mixed:
        scores = await scorer.score(problem, found.candidates)
        values = np.array([score.value for score in scores])
        right = np.array(verdicts)
        gaps = values[right][:, None] - values[~right][None, :]
        shares.append(float(np.mean((gaps > 0) + 0.5 * (gaps == 0))))
    await scorer.aclose()
    return np.array(shares)


def interval(shares: np.ndarray) -> tuple[float, float]:
    """95 %, by resampling problems."""
    drawn = np.random.default_rng(0).choice(shares, (10_000, len(shares))).mean(1)
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


if __name__ == "__main__":
    main()
