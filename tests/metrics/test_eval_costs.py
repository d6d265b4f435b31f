"""Costs, lengths and rates against counting by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from doubles import boxed, candidate_set, sums
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.eval import Point, Prices


def spoken(request: tts.Request, index: int) -> str:
    refined = "Candidate Response" in request.messages[-1].content
    return f"<think>{'x' * (20 if refined else 40)}</think>so \\boxed{{{request.seeds[index] % 2}}}"


@pytest.fixture
def compared(fake: Any) -> tts.eval.Comparison:
    fake(script=spoken)
    strategies = ["majority", tts.strategy("gsr", outputs=2)]
    return tts.compare(sums(6), strategies=strategies, k=3, model="fake:m")


def test_tokens_of_what_was_written_and_of_a_candidate(compared: tts.eval.Comparison) -> None:
    found = compared.lengths("gsr")
    assert found.direct.mean - found.written.mean == 20, "the double counts characters as tokens"
    assert found.reduction == pytest.approx(20 / found.direct.mean)
    assert found.answer == (found.direct.mean, found.written.mean)
    assert compared.lengths("majority") is None


def test_costs_are_by_role_and_priced(compared: tts.eval.Comparison, tmp_path: Path) -> None:
    (usage,) = compared.costs("gsr").values()
    assert usage == compared.usage("gsr")
    assert usage.calls == 6 * (3 + 2)
    table = tmp_path / "prices.toml"
    table.write_text('currency = "EUR"\n[policy]\nprompt = 1.0\ngenerated = 10.0\n')
    prices = Prices.read(table)
    expected = (usage.prompt_tokens + 10 * usage.generated_tokens) / 1e6
    assert prices.of(compared.costs("gsr")) == pytest.approx(expected)
    table.write_text("[policy]\nprompt = 1.0\ngenerated = 10.0\nfactor = 0.5\n")  # as a batch costs
    assert Prices.read(table).of(compared.costs("gsr")) == pytest.approx(expected / 2)
    other = tmp_path / "prices.json"
    other.write_text(json.dumps({"policy": {"prompt": 1, "cached": 0, "generated": 10}}))
    assert Prices.read(other).of({"policy": usage}) == pytest.approx(expected - usage.cached_tokens / 1e6)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("p.toml", "[polcy]\n", "no parameter 'polcy'"),
        ("p.toml", "[policy]\nprompt = -1", "policy.prompt=-1"),
        ("p.toml", "[policy", "cannot be read"),
        ("p.json", "[1]", "give a table for each role"),
        ("p.yaml", "", r"give a \.toml or \.json file"),
    ],
)
def test_prices_that_are_wrong_are_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(tts.ConfigError, match=sentence):
        Prices.read(tmp_path / name)


def test_prices_that_are_no_file_are_one_sentence() -> None:
    pytest.importorskip("torch", reason="the built-in model needs ttscale[hf]")
    given: Any = {"policy": {"prompt": 1.0}}
    with pytest.raises(tts.ConfigError, match=r"prices=\{'policy'.*give the path of a \.toml or \.json file"):
        tts.run([], prices=given, max_cost=1)


POINTS = st.lists(
    st.builds(Point, st.just("s"), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6
)


@given(POINTS)
def test_who_is_not_dominated_is_a_best_choice_for_some_budget(points: list[Point]) -> None:
    """Brute force: a budget of both kinds of tokens at which nothing that fits is more accurate or cheaper."""
    for one in points:
        free = not any(other.dominates(one) for other in points)
        fits = [p for p in points if p.generated <= one.generated and p.prompt <= one.prompt]
        most = max(p.accuracy for p in fits)
        cheapest = [p for p in fits if p.accuracy == most]
        assert free == (one.accuracy == most and all(p[1:4] == one[1:4] for p in cheapest))


def test_the_frontier_of_a_comparison(compared: tts.eval.Comparison) -> None:
    points = {point.strategy: point for point in compared.frontier()}
    assert list(points) == ["majority", "gsr"], "the cheapest first"
    assert points["majority"].best
    assert points["gsr"].best == (points["gsr"].accuracy > points["majority"].accuracy)
    assert points["gsr"].generated == compared.usage("gsr").generated_tokens / 6


def test_rates_of_responses() -> None:
    cut = candidate_set("<think>never", "<think>a</think>so \\boxed{1}", "so", "\\boxed{2}")
    failed = cut.candidates[3].model_copy(update={"text": "", "answer": None, "summary": None, "error": "E"})
    found = tts.compare(
        [tts.Sampled(cut.model_copy(update={"candidates": (*cut.candidates[:3], failed)}), "1")],
        strategies=["majority"],
        k=4,
    )
    assert {name: rate.mean for name, rate in found.response_rates().items()} == {
        "truncated": 0.25, "answerless": 0.5, "refused": 0.0, "failed": 0.25,
    }  # fmt: skip
    assert found.summary_share().mean == pytest.approx(len("so \\boxed{1}") / len("<think>a</think>so \\boxed{1}"))
    assert found.answerless("majority").mean == 0


class Follows(tts.Strategy):
    """Shows an order, and gives the answers told."""

    name: ClassVar[str] = "follows"
    order: tuple[int, ...]
    says: tuple[int, ...]

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        await ctx.candidates()
        first, *rest = (f"I say \\boxed{{{said}}}" for said in self.says)
        return tts.Decision(text=first, alternatives=tuple(rest), trace={"prompts": [{"order": list(self.order)}]})


@given(
    st.lists(st.integers(1, 3), min_size=4, max_size=4),
    st.permutations(range(4)),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
@settings(max_examples=20)
def test_positions_agree_with_counting(answers: list[int], order: list[int], says: list[int]) -> None:
    strategy = Follows(order=tuple(order), says=tuple(says))
    found = tts.compare([tts.Sampled(boxed(*answers), "1")], strategies=[strategy], k=4).positions("follows")
    shown = [answers[i] for i in order]
    counted = [[(one == said) / shown.count(said) for one in shown] for said in says if 0 < shown.count(said) < 4]
    expected = {place + 1: sum(row[place] for row in counted) / len(counted) for place in range(4)} if counted else {}
    assert {place: share.mean for place, share in found.items()} == pytest.approx(expected)


def test_without_an_order_there_are_no_positions() -> None:
    found = tts.compare([tts.Sampled(boxed(1, 2, 2), "1")], strategies=["majority"], k=3)
    assert found.positions("majority") == {}
    with pytest.raises(tts.ConfigError, match="'gsr' is not in this comparison"):
        found.positions("gsr")


def test_positions_of_real_refinements(fake: Any) -> None:
    fake(script=spoken)
    found = tts.compare(sums(12), strategies=["gsr"], k=3, model="fake:m").positions("gsr")
    assert sum(share.mean for share in found.values()) == pytest.approx(1)
    assert list(found) == [1, 2, 3]


def test_lengths_beside_candidates_without_counts_are_unknown(fake: Any) -> None:
    fake(script=spoken)
    rows = [{"problem": "1+1?", "answer": "2", "candidates": [f"\\boxed{{{n}}}" for n in (2, 3)]}]
    compared = tts.compare(rows, strategies=["gsr"], k=2, model="fake:m")
    assert compared.accuracy("gsr") is not None
    assert compared.lengths("gsr") is None
