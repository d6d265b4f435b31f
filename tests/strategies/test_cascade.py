"""Cheap first, dear where the cheap one does not decide."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from doubles import FakeBackend, boxed, candidate_set, decide, recorded, sums
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tts
from tts.cli import main

Fake = Callable[..., type[FakeBackend]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(4, 7), min_size=1, max_size=7))
def test_a_majority_decides_and_the_policy_where_there_is_none(fake: Fake, answers: list[int]) -> None:
    backend = fake()
    result = decide(boxed(*answers), "cascade", "fake:m")
    top, count = Counter(answers).most_common(1)[0]
    settled = count > len(answers) / 2
    assert result.answer == (str(top) if settled else "3"), "the refiner knows that 1 + 2 is 3"
    assert backend.completions() == result.decision.rates["passed on"][0] == int(not settled)
    trace = result.decision.trace
    assert trace["cheap"]["confidence"] == pytest.approx(count / len(answers))
    assert (trace["dear"] is None) == settled
    assert result.decision.chosen == (answers.index(top) if settled else None)


def test_the_threshold_says_how_sure_a_vote_must_be(fake: Fake) -> None:
    fake()
    found = boxed(4, 4, 4, 5)
    assert decide(found, "cascade", "fake:m").answer == "4"
    assert decide(found, tts.strategy("cascade", threshold=0.75), "fake:m").answer == "3"
    assert decide(boxed(4, 4), tts.strategy("cascade", threshold=0.99), "fake:m").answer == "4"


def test_nobody_votes_is_no_decision(fake: Fake) -> None:
    fake()
    assert decide(candidate_set("hm", "well"), "cascade", "fake:m").answer == "3"


def test_any_two_strategies_and_their_rates(fake: Fake) -> None:
    fake(script=lambda *_: "[[A]]")
    strategy = tts.strategy("cascade", cheap="best_of_n", dear={"name": "knockout", "both_orders": True}, threshold=0.6)
    assert strategy.required() == tts.Needs(scorer=True, judge=True)
    roles = {"scorer": "recorded:rm", "judge": "generic:fake:j"}
    sure = decide(recorded(boxed(1, 2, 3), rm=[0, 0, 9]), strategy, **roles)
    assert (sure.answer, sure.decision.rates) == ("3", {"passed on": (0, 1)})
    torn = decide(recorded(boxed(1, 2, 3), rm=[1, 1, 1]), strategy, **roles)
    flipped = {"invalid verdicts": (0, 4), "flips": (2, 2), "decided by coin": (2, 2)}
    assert torn.decision.rates == {"passed on": (1, 1)} | flipped


def test_the_same_rate_of_both_is_one_sum(fake: Fake) -> None:
    fake(script=lambda *_: "who knows")
    strategy = tts.strategy("cascade", cheap="round_robin", dear="knockout")
    rates = decide(boxed(1, 2), strategy, judge="generic:fake:j").decision.rates
    assert rates["invalid verdicts"] == (4, 4), "two asked by each, once in each order"


def test_a_cascade_that_samples_step_by_step(fake: Fake) -> None:
    backend = fake(script=lambda *_: "so \\boxed{3}")
    strategy = tts.strategy("cascade", cheap="adaptive_consistency", threshold=0.9)
    result = tts.run(sums(1), strategy=strategy, k=20, model="fake:m")[0]
    assert (result.answer, backend.completions()) == ("3", 4)
    assert result.decision.rates == {"passed on": (0, 1), "candidates saved": (16, 20)}


def test_order_matters_as_it_does_to_its_strategies() -> None:
    def invariant(**parameters: object) -> bool:
        return tts.strategy("cascade", **parameters).order_invariant

    assert invariant()
    assert not invariant(threshold=0.4), "a tie may decide"
    assert not invariant(dear="majority")
    assert not invariant(cheap="best_of_n", dear="knockout")
    assert invariant(cheap="round_robin", dear="knockout")


@pytest.mark.parametrize("cheap", ["first", "gsr", "knockout", {"name": "rsa", "final": "random"}])
def test_a_cheap_strategy_without_confidence_is_refused_before_anything_is_spent(cheap: object) -> None:
    sentence = r"cheap=.*: '\w+' tells no confidence, so it cannot be the cheap strategy; take one that does"
    with pytest.raises(tts.ConfigError, match=sentence):
        tts.strategy("cascade", cheap=cheap)
    assert tts.strategy("cascade", cheap={"name": "rsa"}).cheap.tells_confidence


def test_where_the_cheap_strategy_is_not_sure_of_anything_the_dear_one_decides(fake: Fake) -> None:
    fake()
    strategy = tts.strategy("cascade", cheap="weighted_majority", threshold=0)
    decided = decide(recorded(boxed(4, 4), rm=[-1, -2]), strategy, "fake:m", scorer="recorded:rm")
    assert (decided.answer, decided.decision.rates["passed on"]) == ("3", (1, 1))
    assert decided.decision.trace["cheap"]["confidence"] is None, "a share of negative rewards says nothing"


@pytest.mark.parametrize("parameters", [{"threshold": 1}, {"threshold": -0.1}, {"cheap": "nobody"}, {"dearer": "gsr"}])
def test_wrong_parameters_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(tts.ConfigError, match="strategy 'cascade'"):
        tts.strategy("cascade", **parameters)


def test_on_the_command_line(fake: Fake, tmp_path: Path) -> None:
    fake(script=lambda request, i: f"so \\boxed{{{i}}}")
    path = tmp_path / "sets.jsonl"
    rows = [["so \\boxed{2}", "so \\boxed{2}"], ["so \\boxed{2}", "so \\boxed{1}"]]
    path.write_text(
        "\n".join(json.dumps({"problem": f"{i}+1?", "answer": "2", "candidates": c}) for i, c in enumerate(rows))
    )
    arguments = ["compare", str(path), "-s", "majority,cascade", "-k", "2", "-m", "fake:m"]
    dear = ["-p", 'cascade.dear={"name": "gsr", "outputs": 2}', "-p", "cascade.cheap=majority"]
    done = CliRunner().invoke(main, [*arguments, *dear])
    assert done.exit_code == 0, done.output
    assert "cascade: passed on 1 of 2 (50.0 %)" in done.output
    alone = CliRunner().invoke(main, ["compare", str(path), "-s", "cascade", "-k", "2"])
    assert "strategy 'cascade' needs a policy: pass model='backend:model'" in alone.output
    wrong = CliRunner().invoke(main, [*arguments, "-p", "cascade.dear=gsrr"])
    assert "strategy 'cascade': parameter dear='gsrr': no strategy is called 'gsrr'; did you mean 'gsr'" in wrong.output
