"""Curves, pairs, rescues and origins of a comparison, from candidates to numbers."""

from __future__ import annotations

import asyncio
import json
from itertools import combinations
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from doubles import boxed, candidate_set, recorded
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.cli import main

SETTINGS = settings(max_examples=15, deadline=None)


class Says(tts.Strategy):
    """Writes a text of its own, and others besides."""

    name: ClassVar[str] = "says"
    text: str = "\\boxed{1}"
    others: tuple[str, ...] = ()

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        await ctx.candidates()
        return tts.Decision(text=self.text, alternatives=self.others)


def sets(*answers: list[Any], scores: list[list[float]] | None = None) -> list[tts.Sampled]:
    """A set for each list; 1 is right, `None` is a response without an answer."""
    found = []
    for number, own in enumerate(answers):
        one = candidate_set(*["well" if a is None else f"so \\boxed{{{a}}}" for a in own], problem=f"{number}?")
        one = recorded(one, scores=scores[number]) if scores else one
        problem = one.problem.model_copy(update={"id": str(number)})
        found.append(tts.Sampled(one.model_copy(update={"problem": problem}), "1"))
    return found


@given(st.lists(st.lists(st.sampled_from([1, 2, 3]), min_size=4, max_size=4), min_size=1, max_size=3))
@SETTINGS
def test_the_curves_are_means_over_all_groups_that_could_have_been(answers: list[list[int]]) -> None:
    """`tts.compare` itself on every subset; with other orders where the strategy takes the first of a tie."""
    compared = tts.compare(sets(*answers), strategies=["majority"], k=2)
    curves = compared.curves()
    assert list(curves) == ["pass@k", "maj@k"]
    subsets = [list(pair) for own in answers for two in combinations(own, 2) for pair in (two, two[::-1])]
    every = tts.compare(sets(*subsets), strategies=["majority"], k=2)
    assert curves["maj@k"].points[2].mean == pytest.approx(every.accuracy("majority").mean)
    assert curves["pass@k"].points[2].mean == pytest.approx(every.pass_at_k.mean)
    assert curves["pass@k"].points[1].mean == curves["maj@k"].points[1].mean == pytest.approx(compared.pass_at_1.mean)
    assert (len(curves["maj@k"].points), curves["maj@k"].error) == (4, None)


def test_equal_answers_in_other_words_vote_together() -> None:
    found = tts.compare(sets(["1", "\\frac{2}{2}", "2", "3"]), strategies=["majority"], k=2)
    assert found.curves()["maj@k"].points[4].mean == 1


def test_what_the_scorer_said_gives_two_more_curves() -> None:
    given = sets([1, 2, 2, 1], [2, 2, 1, 2], scores=[[0.9, 0.1, 0.2, 0.3], [0.9, 0.1, 0.95, 0.2]])
    found = tts.compare(given, strategies=["best_of_n"], k=2, scorer="recorded:scores").curves()
    assert list(found) == ["pass@k", "maj@k", "BoN@k", "weighted maj@k"]
    assert found["BoN@k"].points[4].mean == 1
    assert found["BoN@k"].points[1].mean == found["weighted maj@k"].points[1].mean == 3 / 8
    assert found["weighted maj@k"].points[4].mean == 0.5, "the second has 1.2 for 2, 0.95 for 1"
    orders = tts.compare(given, strategies=["best_of_n"], k=2, scorer="recorded:scores", order_trials=3)
    assert orders.curves()["BoN@k"] == found["BoN@k"], "other orders tell nothing of the candidates' scores"


def test_a_vote_asks_no_score_of_who_does_not_vote() -> None:
    given = sets([1, None, 2, 1], scores=[[0.9, 0.1, 0.2, 0.3]])
    found = tts.compare(given, strategies=["weighted_majority"], k=4, scorer="recorded:scores").curves()
    assert list(found) == ["pass@k", "maj@k", "weighted maj@k"], "one candidate has no score, so no BoN@k"
    assert found["maj@k"].points[1].mean == found["weighted maj@k"].points[1].mean == 0.5


def test_many_samples_have_an_error() -> None:
    given = sets([1, 2] * 8, [2, 3, 1, 1] * 4, scores=[[0.1 * (i % 5) for i in range(16)]] * 2)
    curve = tts.compare(given, strategies=["best_of_n"], k=4, scorer="recorded:scores").curves()["weighted maj@k"]
    assert 0 < curve.error[4] < 0.05
    assert curve.error[16] < 1e-8
    assert curve.to_dict()["monte_carlo_error"]["4"] == curve.error[4]


def test_sets_of_several_sizes_end_at_the_smallest() -> None:
    found = tts.compare(sets([1, 1, 1, 2], [1, 2]), strategies=["majority"], k=2).curves()["pass@k"].points
    assert list(found) == [1, 2]
    assert found[1].mean == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_nothing_graded_has_no_curves_and_no_pairs() -> None:
    ungraded = tts.compare([candidate_set("\\boxed{1}", "\\boxed{2}")], strategies=["first", "majority"], k=2)
    assert (ungraded.curves(), ungraded.pairs(), ungraded.rescue("first")) == ({}, [], None)
    assert ungraded.origins("first")["copied"].accuracy is None


def test_an_unsampled_problem_is_left_out_of_the_curves(fake: Any) -> None:
    def before(request: tts.Request) -> None:
        if request.context == "p1":
            raise tts.ContextLengthError(5000, 1000, "fake:m")

    fake(before=before, script=lambda *_: "\\boxed{1}")
    problems = [tts.Example(problem=tts.Problem(id=f"p{i}", prompt=f"{i}+1"), answer="1") for i in range(4)]
    found = tts.run(problems, strategy="majority", k=2, model="fake:m").curves()
    assert [(one.points[2].mean, one.points[2].n) for one in found.values()] == [(1, 3), (1, 3)]


def test_candidates_that_a_strategy_stopped_at_are_no_fair_sample(fake: Any) -> None:
    fake(script=lambda *_: "\\boxed{1}")
    problems = [tts.Example(problem=tts.Problem(id="p", prompt="0+1"), answer="1")]
    run = tts.run(problems, strategy="adaptive_consistency", k=16, model="fake:m")
    assert len(run.rows[0].candidates) < 16
    assert run.curves() == {}


def test_rescue_and_harm() -> None:
    given = sets([1, 1], [2, 1], [3, 2], [2, 2])
    found = tts.compare(given, strategies=["first", "majority", Says(others=("\\boxed{2}",))], k=2)
    assert [one.mean for one in found.rescue("first")] == [0.25, 0, 0, 0.75]
    assert [one.mean for one in found.rescue("says")] == [1 / 8, 3 / 8, 1 / 8, 3 / 8], "half of two outputs is right"
    assert [one.mean for one in found.rescue("says", None)] == [0.25, 0.25, 0.25, 0.25]
    assert [one.mean for one in found.rescue("majority", None)] == [0.25, 0, 0.25, 0.5]
    gap = found.gap("says", "majority").mean
    assert gap == pytest.approx(found.rescue("says").rescued.mean - found.rescue("says").harmed.mean)
    with pytest.raises(tts.ConfigError, match="'nobody' is not in this comparison"):
        found.rescue("says", "nobody")


def test_origins() -> None:
    said = Says(text="<think>no</think>so  \\boxed{2}", others=("I say \\boxed{2.0}", "\\boxed{1}", "well", ""))
    found = tts.compare(sets([2, 3]), strategies=["first", said], k=2)
    assert {kind: one.share.mean for kind, one in found.origins("says").items()} == {
        "copied": 0.2, "merged": 0.2, "novel": 0.2, "none": 0.4,
    }  # fmt: skip
    assert found.origins("says")["novel"].accuracy.mean == 1
    assert found.origins("says")["copied"].accuracy.mean == 0
    assert found.origins("first")["copied"].share.mean == 1
    failed = tts.compare([tts.Sampled(candidate_set("", ""), "1")], strategies=["majority"], k=2)
    assert failed.origins("majority") == {}


def test_pairs_go_by_problem() -> None:
    given = sets(*[[2, 1, 2, 1]] * 9)
    (pair,) = tts.compare(given, strategies=["first", Says()], k=2).pairs()
    assert (pair.verdict, pair.fewer, pair.difference.n) == ("worse", 9, 18)
    assert pair.p == pytest.approx(0.0011953, rel=1e-3), "nine problems, not eighteen groups"


def test_the_summary_has_it_all_and_is_json(tmp_path: Any) -> None:
    given = sets([1, 2], [2, 2], scores=[[0.5, 0.4]] * 2)
    found = tts.compare(given, strategies=["majority", "best_of_n"], k=2, scorer="recorded:scores")
    summary = json.loads(found.save(tmp_path / "a.json").read_text())
    assert summary["curves"]["BoN@k"]["points"]["2"]["mean"] == 0.5
    assert summary["pairs"][0]["verdict"] == "cannot tell"
    assert set(summary["rescue"]["best_of_n"]) == {"majority", "best candidate"}
    assert set(summary["rescue"]["majority"]) == {"best candidate"}
    assert summary["origins"]["majority"]["copied"]["share"]["mean"] == 1


def test_inside_a_running_loop() -> None:
    async def cell() -> list[str]:
        return list(tts.compare([tts.Sampled(boxed(1, 2), "1")], strategies=["majority"], k=2).curves())

    assert asyncio.run(cell()) == ["pass@k", "maj@k"]


def test_the_command_prints_a_line_for_each_pair(tmp_path: Any) -> None:
    stored = tmp_path / "sets.jsonl"
    rows = [
        {"problem": f"{i}+1", "answer": "2", "candidates": ["\\boxed{1}", "\\boxed{2}", "\\boxed{2}"]} for i in range(9)
    ]
    stored.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner().invoke(
        main, ["compare", str(stored), "-s", "first,majority", "-k", "3", "--pairs"], prog_name="tts"
    )
    assert "first is worse than majority: -100.0 points" in done.stdout
    assert "is worse than" not in CliRunner().invoke(main, ["compare", str(stored), "-k", "3"], prog_name="tts").stdout
