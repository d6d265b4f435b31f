"""Equal budgets against counting by hand."""

from __future__ import annotations

import random
from itertools import combinations
from statistics import mean
from typing import Any

import pytest
from doubles import candidate_set, sums

import tts
from tts.eval import Comparison, Price, Prices


def spoken(request: tts.Request, index: int) -> str:
    """Candidates of 30 characters, refinements of 75: two and a half candidates."""
    refined = "Candidate Response" in request.messages[-1].content
    right = random.Random(f"{request.seeds[index]}").random() < (0.9 if refined else 0.5)
    text = f"\\boxed{{{index if right else 'x'}}}"
    return text.ljust(75 if refined else 30, ".")


@pytest.fixture
def compared(fake: Any) -> Comparison:
    fake(script=spoken)
    return tts.compare(sums(6), strategies=["majority", tts.strategy("gsr", outputs=2)], k=2, n=6, model="fake:m")


def test_a_strategy_is_measured_against_as_many_candidates_as_it_costs(compared: Comparison) -> None:
    """Two candidates and one output of two and a half are four and a half, whatever the other output costs."""
    (found,) = [one for one in compared.equal_budgets() if one.curve == "maj@k"]
    assert (found.strategy, found.sampled) == ("gsr", 6)
    assert found.k == pytest.approx(4.5)
    curve = compared.curves()["maj@k"].points
    assert found.accuracy.mean == pytest.approx((curve[4].mean + curve[5].mean) / 2)
    assert found.difference.mean == pytest.approx(compared.accuracy("gsr").mean - found.accuracy.mean)
    assert found.difference.problems == 6
    assert (
        f"gsr costs as much as 4.5 candidates (generated tokens); maj@4.5 has {100 * found.accuracy.mean:.1f}"
        in str(compared)
    )


def test_prompts_and_prices_count_where_they_are_asked_for(compared: Comparison) -> None:
    (every,) = compared.equal_budgets("all tokens")
    dear = Prices(policy=Price(generated=1.0, prompt=0.0))
    (money,) = compared.equal_budgets("money", dear)
    assert money.k == pytest.approx(4.5), "only what is generated costs"
    assert every.k != pytest.approx(4.5)
    assert compared.equal_budgets("money") == [], "without prices"


def test_more_than_was_sampled_is_unknown_and_says_how_many_would_do(fake: Any) -> None:
    fake(script=spoken)
    found = tts.compare(sums(3), strategies=["majority", "gsr"], k=2, model="fake:m")
    (one,) = found.equal_budgets()
    assert (one.accuracy, one.difference) == (None, None)
    assert str(one).endswith("2 were sampled, so maj@4.5 is unknown: sample 5 to compare")


def test_unknown_usage_is_not_nothing() -> None:
    """A file without counts: what a strategy asks beyond is known, and the rest is not 0."""
    found = tts.compare([tts.Sampled(candidate_set("\\boxed{3}", "\\boxed{4}"), "3")], strategies=["majority"], k=2)
    assert not found.usage_known
    assert (found.equal_budgets(), found.frontier()) == ([], [])
    assert "tokens" not in found.tables()[0].head


def test_what_is_in_no_group_is_said() -> None:
    sets = []
    for i in range(3):
        given = candidate_set(*["\\boxed{3}"] * 5)
        problem = tts.Problem(id=str(i), prompt=f"{i}+2")
        sets.append(tts.Sampled(given.model_copy(update={"problem": problem}), "3"))
    found = tts.compare(sets, strategies=["majority"], k=2)
    assert any(
        line.startswith("3 more candidates of 3 problems are in no group of 2, nor in any number: 12 are")
        for line in found.missing_lines()
    )
    assert tts.compare(sets, strategies=["majority"], k=5).missing_lines() == []


def test_the_curve_at_a_budget_is_the_mean_over_subsets() -> None:
    """Maj@2.5 of three candidates, half way between all pairs and all three."""
    texts = ["\\boxed{3}", "\\boxed{3}", "\\boxed{4}"]
    pairs = mean(1.0 if set(two) == {texts[0]} else 0.5 for two in combinations(texts, 2))
    curve = tts.eval.maj_at_k([[0, 0, 1]], [[True, True, False]]).mean[0]
    assert curve[1] == pytest.approx(pairs)
