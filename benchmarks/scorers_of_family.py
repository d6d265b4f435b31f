"""How often a scorer orders a right and a wrong response to one problem right, on held-out problems of the family.

    python benchmarks/scorers_of_family.py [--problems 200] [--k 8]

Candidates are those of the base and of the hybrid model that ship. Every pair of a right and a wrong candidate of one
problem counts, each problem alike; intervals are bootstrapped over problems. A coin orders half of the pairs right.
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

SCORERS: dict[str, Callable[[], Any]] = {
    "reward model": lambda: HFReward("miniature/reward", HFReward.Options()),
    "likelihood under the base model": lambda: Likelihood("miniature/base", Likelihood.Options()),
    "likelihood under the hybrid model": lambda: Likelihood("miniature", Likelihood.Options()),
    "likelihood under the judge": lambda: Likelihood("miniature/judge", Likelihood.Options()),
    "self-certainty of the hybrid model": lambda: HFConfidence("miniature", HFConfidence.Options()),
}
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
        for name, load in SCORERS.items():
            shares = asyncio.run(ordered(load(), mixed))
            low, high = interval(shares)
            print(f"| {policy} | {name} | {len(shares)} | {shares.mean():.1%} [{low:.1%}, {high:.1%}] |", flush=True)


def same(answer: str | None, gold: str | None) -> bool:
    return answer is not None and gold is not None and tts.answers.fast_equal(gold, answer)


async def ordered(scorer: Any, mixed: list[tuple[tts.CandidateSet, list[bool]]]) -> np.ndarray:
    """For each problem the share of its pairs that are ordered right; a tie is half of one."""
    shares = []
    for found, verdicts in mixed:
        scores = await scorer.score(found.problem, found.candidates)
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
