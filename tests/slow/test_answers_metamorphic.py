"""Thousands of pairs made of gold answers: what keeps their meaning is told equal, what changes it is not."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest

from tts.answers import Answers

sys.path.insert(0, str(Path(__file__).parents[1] / "answers"))

from metamorphic import generated, pairs

pytestmark = pytest.mark.slow


def test_rates_over_meanings_kept_and_changed() -> None:
    made = list(pairs(generated(700, seed=1), seed=1))

    async def judged() -> list[bool | None]:
        async with Answers() as answers:
            return await answers.judge_many([(one.gold, one.answer) for one in made])

    told = asyncio.run(judged())
    rates: dict[bool, Counter[bool]] = {True: Counter(), False: Counter()}
    table: dict[tuple[bool, str], Counter[bool]] = {}
    for one, verdict in zip(made, told, strict=True):
        rates[one.kept][bool(verdict)] += 1
        table.setdefault((one.kept, one.change), Counter())[bool(verdict)] += 1
    for (kept, change), counts in sorted(table.items(), reverse=True):
        print(f"{'kept' if kept else 'changed':8} {change:20} {counts[True]:6} of {counts.total():6} told equal")
    assert rates[True].total() > 5000
    assert rates[True][True] >= 0.99 * rates[True].total()
    assert rates[False][True] <= 0.001 * rates[False].total()
