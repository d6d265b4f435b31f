"""What confidence is worth: by hand, by brute force, by simulation."""

from __future__ import annotations

import random
from itertools import pairwise, permutations
from statistics import mean
from typing import ClassVar

import pytest
from doubles import candidate_set
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.metrics.calibration import LEAST, LEAST_PROBLEMS, Told, bins_of, expected_calibration_error, reliability
from tts.metrics.selective import accuracy_at, area_under_risk

told_lists = st.lists(
    st.builds(Told, st.sampled_from("abcdefgh"), st.sampled_from([0.25, 0.5, 0.75, 1.0]), st.booleans()),
    min_size=1,
    max_size=6,
)


def simulated(rng: random.Random, problems: int, groups: int, off: float) -> list[Told]:
    """Votes of four whose accuracy is their confidence less `off`."""
    found = []
    for problem in range(problems):
        for _ in range(groups):
            sure = rng.choice([0.5, 0.75, 0.75, 1.0])
            found.append(Told(str(problem), sure, rng.random() < sure - off))
    return found


@given(told_lists)
@settings(max_examples=60, deadline=None)
def test_aurc_is_the_mean_over_all_orders_of_what_is_tied(told: list[Told]) -> None:
    areas = []
    for order in permutations(told):
        if all(a.confidence >= b.confidence for a, b in pairwise(order)):
            wrong = [not one.correct for one in order]
            areas.append(mean(sum(wrong[: i + 1]) / (i + 1) for i in range(len(wrong))))
    found = area_under_risk(told)
    assert found.area.mean == pytest.approx(mean(areas))
    assert found.area.low - 1e-12 <= found.area.mean <= found.area.high + 1e-12
    assert found.best <= found.area.mean + 1e-12
    assert found.random == pytest.approx(mean(not one.correct for one in told))


@given(told_lists, st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_selective_accuracy_is_the_mean_over_all_orders_of_what_is_tied(told: list[Told], kept: int) -> None:
    kept = min(kept, len(told))
    shares = [
        mean(one.correct for one in order[:kept])
        for order in permutations(told)
        if all(a.confidence >= b.confidence for a, b in pairwise(order))
    ]
    assert accuracy_at(told, kept / len(told)).mean == pytest.approx(mean(shares))


def test_confidence_that_tells_nothing_has_the_area_of_chance_and_a_perfect_one_the_best() -> None:
    rng = random.Random(3)
    right = [rng.random() < 0.6 for _ in range(200)]
    perfect = area_under_risk([Told(str(i), 0.9 if one else 0.1, one) for i, one in enumerate(right)])
    nothing = area_under_risk([Told(str(i), 0.5, one) for i, one in enumerate(right)])
    assert nothing.area.mean == pytest.approx(nothing.random)
    assert perfect.area.mean == pytest.approx(perfect.best)
    assert perfect.area.high < nothing.area.low
    assert area_under_risk([Told("a", 0.5, True)]).area[1:3] == (0.0, 1.0), "one problem bounds nothing"


@given(st.lists(st.builds(Told, st.sampled_from("abcdefghijkl"), st.floats(0, 1), st.booleans()), min_size=1))
@settings(max_examples=100, deadline=None)
def test_bins_part_all_decisions_in_order_and_keep_equal_ones_together(told: list[Told]) -> None:
    bins = bins_of(told)
    flat = [one for own in bins for one in own]
    assert sorted(flat) == sorted(told)
    assert all(a[-1].confidence < b[0].confidence for a, b in pairwise(bins))
    if len(bins) > 1:
        assert all(len(own) >= LEAST and len({one.problem for one in own}) >= LEAST_PROBLEMS for own in bins)


def test_a_vote_of_four_has_a_bin_for_each_of_its_shares() -> None:
    told = simulated(random.Random(0), 100, 2, 0.0)
    assert [(one.low, one.high) for one in reliability(told)] == [(0.5, 0.5), (0.75, 0.75), (1.0, 1.0)]


def test_with_many_problems_the_error_is_the_plain_one() -> None:
    told = simulated(random.Random(2), 4000, 1, 0.3)
    plain = sum(len(own) / len(told) * abs(mean(one.confidence - one.correct for one in own)) for own in bins_of(told))
    found = expected_calibration_error(told)
    assert found.mean == pytest.approx(plain, abs=0.002)
    assert found.low < 0.3 < found.high


@pytest.mark.parametrize("off", [0.0, 0.15])
def test_intervals_hold_the_true_error_about_as_often_as_they_say(off: float) -> None:
    rng = random.Random(int(100 * off))
    found = [expected_calibration_error(simulated(rng, 50, 2, off)) for _ in range(60)]
    assert mean(one.low <= off <= one.high for one in found) >= 0.9
    assert mean(one.mean for one in found) == pytest.approx(off, abs=0.03), "not as large as noise makes it"


def test_one_problem_and_no_error_have_intervals_that_are_not_points() -> None:
    assert expected_calibration_error([Told("a", 0.5, True)] * 3)[1:3] == (0.0, 1.0)
    sure = expected_calibration_error([Told(str(i), 1.0, True) for i in range(40)])
    assert sure.mean == sure.low == 0.0 < sure.high < 0.2
    assert area_under_risk([Told(str(i), 1.0, True) for i in range(40)]).area.high > 0.01


class Sure(tts.Strategy):
    """Takes the first candidate, as sure as it is told to be by the candidate's length. No paper."""

    name: ClassVar[str] = "sure"
    tells_confidence: ClassVar[bool] = True
    at_all: bool = True

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        one = (await ctx.candidates()).usable[0]
        told = len(one.text) / 100 if self.at_all and len(one.text) > 10 else None
        return tts.Decision(text=one.text, chosen=one.index, confidence=told)


def sets(count: int) -> list[tts.Sampled]:
    made = []
    for i in range(count):
        text = f"\\boxed{{{i % 4 > 0:d}}}".ljust(50 if i % 2 else 75, ".") if i else "\\boxed{1}"
        found = candidate_set(text)
        made.append(tts.Sampled(found.model_copy(update={"problem": tts.Problem(id=str(i), prompt=f"{i}?")}), "1"))
    return made


def test_a_comparison_says_what_confidence_is_worth_and_who_tells_none() -> None:
    found = tts.compare(sets(41), strategies=[Sure(), "first"], k=1)
    one = found.calibration("sure")
    assert (one.decided, one.told) == (41, 40)
    assert [(bin_.low, bin_.accuracy.mean) for bin_ in one.bins] == [(0.5, 1.0), (0.75, 0.5)]
    assert one.over.mean == pytest.approx(0.625 - 0.75)
    assert one.brier.mean == pytest.approx((0.25 + (0.0625 + 0.5625) / 2) / 2)
    assert found.selective_accuracy("sure", 0.5).mean == one.accuracy_at[0.5].mean == 0.5
    assert found.calibration("first") is found.selective_accuracy("first", 0.5) is None
    text = str(found)
    assert "no confidence: first" in text
    assert "a confidence on some decisions only: sure on 40 of 41" in text
    told = found.to_dict()["calibration"]
    assert told["first"] is None
    assert told["sure"]["ece"]["mean"] == one.error.mean
    with pytest.raises(tts.ConfigError, match="coverage=0: give a share above 0"):
        found.selective_accuracy("sure", 0)


def test_the_table_fits_a_screen_of_80_columns() -> None:
    table = next(one for one in tts.compare(sets(40), strategies=["majority"], k=1).tables() if "Confid" in one.title)
    assert max(map(len, table.text(80).splitlines())) <= 80
    assert table.text(80).count("strategy") == 1, "in one part"
