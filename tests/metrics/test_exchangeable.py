"""Whether the candidates of a set are alike, and whether a strategy minds where one stands."""

from __future__ import annotations

import random

import numpy as np
import pytest
from doubles import candidate_set
from test_eval_costs import Follows

import tts
from tts.metrics.exchangeable import position_bias, unlike_slots


def pooled(problems: int, chances: list[float]) -> list[tts.Sampled]:
    rng = random.Random(0)
    sets = []
    for i in range(problems):
        made = candidate_set(*[rf"\boxed{{{int(rng.random() < chance)}}}" for chance in chances])
        problem = tts.Problem(id=str(i), prompt=f"{i}+1?")
        sets.append(tts.Sampled(made.model_copy(update={"problem": problem}), "1"))
    return sets


def test_sets_of_several_models_are_told_and_shuffling_makes_them_fair() -> None:
    sets = pooled(80, [0.2, 0.2, 0.6, 0.6])
    found = tts.compare(sets, strategies=["majority", "first"], k=2)
    assert found.unlike_slots is not None
    assert found.unlike_slots.low in {0, 1}
    assert found.unlike_slots.high in {2, 3}
    assert any(line.startswith("candidates of one set are not alike") for line in found.missing_lines())
    assert "not alike" in str(found)
    shuffled = tts.compare(sets, strategies=["majority", "first"], k=2, shuffle=True)
    assert shuffled.unlike_slots is None
    assert shuffled.pass_at_1.mean == pytest.approx(found.pass_at_1.mean), "the same candidates"
    texts = [[c.text for c in row.outcome.candidates] for row in shuffled.rows]
    again = tts.compare(sets, strategies=["majority", "first"], k=2, shuffle=True)
    assert texts == [[c.text for c in row.outcome.candidates] for row in again.rows], "seeded"
    assert len(tts.compare(sets, strategies=["first"], k=2, shuffle=True, n=2).rows) == 80


def test_sets_of_one_model_are_hardly_ever_called_unlike() -> None:
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(200):
        right = rng.random((60, 6)) < rng.beta(1, 1, (60, 1))
        alarms += unlike_slots({str(i): row for i, row in enumerate(right.tolist())}) is not None
    assert alarms / 200 <= 0.03


def test_few_sets_say_nothing() -> None:
    assert unlike_slots({}) is unlike_slots({"a": [True, False]}) is None


def test_a_strategy_that_follows_the_last_is_found() -> None:
    sets = []
    for i in range(40):
        made = candidate_set(*[rf"\boxed{{{one}}}" for one in range(4)])
        sets.append(tts.Sampled(made.model_copy(update={"problem": tts.Problem(id=str(i), prompt=f"{i}?")}), "1"))
    found = tts.compare(sets, strategies=[Follows(order=(2, 0, 1, 3), says=(3,))], k=4)
    (label,) = found.strategies
    bias = found.position_bias(label)
    assert bias[4].mean == pytest.approx(0.75)
    assert bias[4].low > 0 > bias[1].high
    assert found.position_lines()[0].startswith(f"{label} minds where a candidate stands; it follows position 1 in 0.0")


def test_a_share_of_44_of_1_600_against_a_quarter_is_a_bias() -> None:
    """What a refiner did on candidates with a miscopied number: position 4 was followed in 44.5 %."""
    rng = np.random.default_rng(1)
    chosen = rng.choice([1, 2, 3, 4], size=1600, p=[0.185, 0.185, 0.185, 0.445])
    found = position_bias(
        {place: [(str(i // 8), float(one == place)) for i, one in enumerate(chosen)] for place in (1, 2, 3, 4)}
    )
    assert found[4].low > 0.1
    assert all(found[place].high < 0 for place in (1, 2, 3))
