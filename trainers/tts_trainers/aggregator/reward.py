"""The reward: 1 where the library's own grader says that a completion has the gold answer, else 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tts
from tts_trainers.helpers.evaluate import grade

Reward = Callable[..., list[float | None]]


def answer_reward(*, extractor: str, grader: str, ends: frozenset[int]) -> Reward:
    """A reward function as TRL calls it; a completion that no token of `ends` ends was cut short and has none."""
    extract: Any = tts.plugins().resolve("extractor", extractor)

    def correct(
        completions: Sequence[Any], completion_ids: Sequence[Sequence[int]], answer: Sequence[str],
        problem: Sequence[str], objective: Sequence[str], log_metric: Callable[[str, float], None], **_: Any,
    ) -> list[float | None]:  # fmt: skip
        found = [
            _answer(completion, extract) if ids and ids[-1] in ends else None
            for completion, ids in zip(completions, completion_ids, strict=True)
        ]
        verdicts = grade(list(zip(answer, found, strict=True)), grader, list(problem))
        for name in sorted(set(objective)):
            of_one = [right for right, one in zip(verdicts, objective, strict=True) if one == name]
            log_metric(f"correct_{name}", sum(of_one) / len(of_one))
        return [float(right) for right in verdicts]

    return correct


def _answer(completion: Any, extract: Callable[[str], str | None]) -> str | None:
    """What the visible part answers; a think block that was never closed has none."""
    text = completion if isinstance(completion, str) else completion[-1]["content"]
    summary = tts.split_thinking(text).summary
    return extract(summary) if summary else None
