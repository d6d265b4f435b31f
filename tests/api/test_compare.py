"""Many strategies on one candidate set: what is shared is paid once, each is charged what it alone would have cost."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any

import pytest
from doubles import FirstJudge, LengthScorer, boxed, candidate_set, recorded, sums

import tts
from tts.testing import InstantJudge, InstantModel, InstantScorer

SPENDERS = [
    tts.strategy("gsr"),
    tts.strategy("gsr", outputs=4),
    tts.strategy("gsr", group_size=2),
    tts.strategy("synthesizer"),
    tts.strategy("synthesizer", outputs=4),
    tts.strategy("knockout"),
    tts.strategy("knockout", both_orders=True),
    tts.strategy("best_of_n"),
    tts.strategy("weighted_majority"),
    tts.strategy("majority"),
    tts.strategy("first"),
]


class LongerJudge(FirstJudge):
    """Prefers the longer response, in either order."""

    fingerprint = "longer"

    async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> tts.Verdict:
        verdict = await super().compare(problem, a, b, seed=seed)
        return verdict.model_copy(update={"winner": "a" if len(a.text) > len(b.text) else "b"})


def different(size: int) -> tts.CandidateSet:
    return candidate_set(*[f"{'x' * i} so \\boxed{{{i}}}" for i in range(size)])


def calls(found: tts.eval.Comparison, label: str) -> int:
    return found.usage(label).calls


def test_a_setting_that_changes_no_prompt_shares_the_calls(fake: Any) -> None:
    backend = fake()
    settings = [tts.strategy("gsr"), tts.strategy("gsr", outputs=4)]
    found = tts.compare([different(4)], strategies=settings, model="fake:m")
    assert backend.completions() == 4
    assert (calls(found, "gsr"), calls(found, "gsr(outputs=4)")) == (1, 4)
    assert found.spent["policy"].calls == 4


def test_one_bracket_is_judged_once() -> None:
    LongerJudge.calls = []
    settings = [tts.strategy("knockout"), tts.strategy("knockout", both_orders=True)]
    found = tts.compare([different(8)], strategies=settings, judge=LongerJudge("", None), k=8)
    assert len(LongerJudge.calls) == 2 * 7
    assert (calls(found, "knockout"), calls(found, "knockout(both_orders=True)")) == (7, 14)


def test_a_response_is_scored_once(helpers: None) -> None:
    sets = [candidate_set("no answer", "\\boxed{1}", "so \\boxed{2}", "\\boxed{1}")]
    found = tts.compare(sets, strategies=["best_of_n", "weighted_majority"], scorer="fake:m")
    assert sum(LengthScorer.batches) == 3, "one text comes twice"
    assert (calls(found, "best_of_n"), calls(found, "weighted_majority")) == (3, 2)
    assert found.spent["scorer"].calls == 3


def everything(strategies: list[tts.Strategy], sets: list[tts.CandidateSet], **more: Any) -> tts.eval.Comparison:
    helpers = {"scorer": InstantScorer(), "judge": InstantJudge(), "synthesizer": InstantModel()}
    return tts.compare(sets, strategies=strategies, k=5, model=InstantModel(), **helpers, **more)


def spenders_and_sets() -> tuple[list[tts.Strategy], list[tts.CandidateSet]]:
    draw = random.Random(5)
    paid = tts.Usage(calls=1, prompt_tokens=7, answer_tokens=3)
    sets = []
    for number in range(6):
        found = candidate_set(*[f"{i} \\boxed{{{draw.randrange(3)}}}" for i in range(5)], problem=f"{number}?")
        own = tuple(one.model_copy(update={"usage": paid}) for one in found)
        problem = found.problem.model_copy(update={"id": str(number)})
        sets.append(found.model_copy(update={"candidates": own, "problem": problem}))
    named = {one.name for one in SPENDERS}
    others = [tts.strategy(name) for name in tts.plugins().names("strategy") if name not in named]
    return [*SPENDERS, *others], sets


def test_each_is_charged_what_it_alone_would_have_cost() -> None:
    strategies, sets = spenders_and_sets()
    together = everything(strategies, sets)
    assert together.failed == []
    alone = [everything([one], sets) for one in strategies]
    for label, one in zip(together.strategies, alone, strict=True):
        (own,) = one.strategies
        assert together.usage(label) == one.usage(own), label
        for row, other in zip(together.rows, one.rows, strict=True):
            assert row.outcome.results[label].decision == other.outcome.results[own].decision, label
    for role, spent in together.spent.items():
        each = [one.spent[role].calls for one in alone if role in one.spent]
        assert max(each) <= spent.calls < sum(each), f"{role}: something is shared"


def test_a_second_time_costs_nothing(tmp_path: Any) -> None:
    strategies, sets = spenders_and_sets()
    store = tmp_path / "a.db"
    first, second = everything(strategies, sets, store=store), everything(strategies, sets, store=store)
    assert first.spent and not second.spent
    for label in first.strategies:
        assert first.usage(label) == second.usage(label)


def test_the_table_says_both(fake: Any) -> None:
    fake()
    settings = [tts.strategy("gsr"), tts.strategy("gsr", outputs=4)]
    text = str(tts.compare([different(4)], strategies=settings, model="fake:m"))
    assert "really spent" in text
    assert "policy 4 calls" in text
    columns = text.splitlines()[2].split("  ")
    assert [cell.strip() for cell in columns if cell][-5:] == [
        "calls",
        "tokens out",
        "tokens in",
        "model s",
        "s/problem",
    ]


def test_the_table_leaves_out_what_is_zero_for_all() -> None:
    text = str(tts.compare([different(4)], strategies=["majority"]))
    assert "answered" in text
    assert not any(column in text for column in ("failed", "calls", "tokens out", "tokens in", "model s"))


def test_a_strategy_within_a_strategy_is_labelled_as_it_would_be_called(fake: Any) -> None:
    fake()
    settings = [tts.strategy("cascade"), tts.strategy("cascade", dear=tts.strategy("gsr", outputs=2), threshold=0.6)]
    found = tts.compare([different(4)], strategies=settings, model="fake:m")
    assert list(found.strategies) == ["cascade", "cascade(dear=gsr(outputs=2), threshold=0.6)"]


def test_problems_are_sampled_once_for_all(fake: Any) -> None:
    backend = fake(script=lambda request, index: f"\\boxed{{{index}}}")
    found = tts.compare(sums(3), strategies=["first", "majority", "gsr"], model="fake:m")
    assert backend.completions() == 3 * (4 + 1)
    assert (calls(found, "first"), calls(found, "majority"), calls(found, "gsr")) == (3, 12, 15)


class TestOrder:
    def test_first_is_as_sensitive_as_it_must_be(self) -> None:
        four, problems = boxed(1, 2, 3, 4), [tts.Problem(id=str(i), prompt=f"{i}?") for i in range(200)]
        sets = [four.model_copy(update={"problem": problem}) for problem in problems]
        found = tts.compare(sets, strategies=["first", "majority"], order_trials=5)
        for label in ("first", "majority"):  # with four different answers a vote that ends in a tie is the first
            share = found.order_sensitivity(label)
            assert share.low <= 0.75 <= share.high and share.half_width < 0.05
            assert share.n == 200

    def test_equal_answers_in_other_words_are_no_change(self) -> None:
        found = tts.compare([boxed("1/2", "0.5", "\\frac{1}{2}")], strategies=["first"], k=3, order_trials=6)
        assert found.order_sensitivity("first").mean == 0

    def test_the_permuted_candidates_keep_what_is_recorded_of_them(self) -> None:
        found = recorded(boxed(1, 2, 3, 4), scores=[0.1, 0.4, 0.9, 0.2])
        compared = tts.compare([found], strategies=["best_of_n", "first"], scorer="recorded:scores", order_trials=8)
        assert compared.order_sensitivity("best_of_n").mean == 0
        assert compared.order_sensitivity("first").mean > 0
        tied = recorded(boxed(1, 2, 3, 4), scores=[0.9, 0.9, 0.9, 0.9])
        compared = tts.compare([tied], strategies=["best_of_n"], scorer="recorded:scores", order_trials=8)
        assert compared.order_sensitivity("best_of_n").mean > 0.3

    def test_trials_share_calls_and_invariant_strategies_make_none(self, fake: Any, helpers: None) -> None:
        backend = fake()
        given: dict[str, Any] = {"strategies": ["best_of_n", "knockout"], "model": "fake:m", "scorer": "fake:m"}
        given["judge"] = "fake:m"
        plain = tts.compare([different(4)], **given)
        before = (backend.completions(), sum(LengthScorer.batches))
        tried = tts.compare([different(4)], order_trials=7, **given)
        assert (backend.completions(), sum(LengthScorer.batches)) == (2 * before[0], 2 * before[1])
        assert tried.spent == plain.spent
        assert tried.usage("best_of_n") == plain.usage("best_of_n")
        assert (tried.order_sensitivity("knockout"), plain.order_sensitivity("best_of_n")) == (None, None)
        assert "declare that order does not matter, or never decided: knockout" in str(tried)
        assert "Order:" not in str(plain)

    def test_groups_of_one_set_are_tried_each_and_events_are_not_doubled(self) -> None:
        events: list[tts.Event] = []
        found = boxed(1, 2, 3, 4, 1, 1, 1, 1)
        compared = tts.compare([found], strategies=["first"], k=4, order_trials=20, listeners=[events.append])
        changed = [row.outcome.changed["first"] for row in compared.rows]
        assert [len(one) for one in changed] == [20, 20]
        assert (any(changed[0]), any(changed[1])) == (True, False)
        assert sum(event.kind == "decision" for event in events) == 2

    def test_candidates_not_sampled_yet_are_sampled_for_it(self, fake: Any) -> None:
        backend = fake(script=lambda request, index: f"\\boxed{{{request.seeds[index] % 5}}}")
        found = tts.compare(sums(6), strategies=["first"], model="fake:m", order_trials=3)
        assert backend.completions() == 6 * 4
        assert found.order_sensitivity("first").n == 6
        assert calls(found, "first") == 6

    def test_nothing_to_decide_is_nothing_to_try(self) -> None:
        found = tts.compare([candidate_set("", "")], strategies=["first", "majority"], k=2, order_trials=3)
        assert len(found.failed) == 2
        assert found.order_sensitivity("first") is None
        assert found.rows[0].outcome.changed == {}

    def test_a_trial_that_fails_is_a_change(self) -> None:
        class Picky(tts.Strategy):
            """Fails unless the first candidate is the best."""

            name = "picky"
            order_invariant = False

            async def aggregate(self, ctx: tts.Context) -> tts.Decision:
                found = await ctx.candidates()
                if found[0].answer != "1":
                    raise ValueError("not mine")
                return tts.Decision(text=found[0].text, chosen=0)

        found = tts.compare([boxed(1, 2)], strategies=[Picky()], k=2, order_trials=40)
        assert found.failed == []
        assert 0.2 < found.order_sensitivity("picky").mean < 0.8

    def test_a_number_below_zero_is_refused(self) -> None:
        with pytest.raises(tts.ConfigError, match="order_trials=-1"):
            tts.compare([boxed(1, 2)], strategies=["first"], k=2, order_trials=-1)

    def test_json_has_it(self) -> None:
        found = tts.compare([boxed(1, 2)], strategies=["first"], k=2, order_trials=4)
        assert set(found.to_dict()["strategies"]["first"]["order_sensitivity"]) == {"mean", "interval", "problems", "n"}

    def test_one_loop_serves_both(self) -> None:
        async def main() -> tuple[bool, ...]:
            async with tts.Engine() as engine:
                outcomes = [o async for o in engine.compare([tts.Sampled(boxed(1, 1))], ["first"], 2, order_trials=2)]
            return outcomes[0].changed["first"]

        assert asyncio.run(main()) == (False, False)


def test_an_order_inside_a_prompt_is_drawn_anew_in_each_trial(fake: Any) -> None:
    """A refiner that repeats whatever it is shown first: 'not tried', before, since its own shuffle hides the order."""

    def repeats_the_first(request: tts.Request, index: int) -> str:
        text = request.messages[-1].content
        found = re.search(r"boxed\{(\d)\}", text) if "Candidate Response" in text else None
        return f"\\boxed{{{found[1] if found else index}}}"

    fake(script=repeats_the_first)
    compared = tts.compare(sums(8), strategies=["gsr"], k=4, model="fake:m", order_trials=6)
    changed = compared.order_sensitivity("gsr")
    assert changed is not None
    assert changed.mean == pytest.approx(0.75, abs=0.2), "three of four other candidates may stand first"
    again = tts.compare(sums(8), strategies=["gsr"], k=4, model="fake:m", order_trials=6)
    assert again.order_sensitivity("gsr") == changed, "seeded"
