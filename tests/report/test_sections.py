from __future__ import annotations

import math
from typing import Any

import pytest
from doubles import FakeBackend, sums
from report_sets import a_set

import tts
from tts.answers import Opinions
from tts.eval import Comparison, Disagreement, Price, Prices
from tts.report import Figure, Point, ReportData, Section, Series, report_data
from tts.report._words import interval, percent
from tts.report.gather import sections


def section(data: ReportData, name: str) -> Section:
    return next(one for one in sections(data) if one.name == name)


def test_every_section_is_there_in_its_order(data: ReportData) -> None:
    names = [one.name for one in sections(data)]
    assert names == [
        "summary",
        "strategies",
        "curves",
        "n-correct",
        "calibration",
        "selective",
        "candidates",
        "rescue",
        "origins",
        "judge-bias",
        "pairs",
        "checks",
        "setup",
    ]
    assert len({figure.name for one in sections(data) for figure in one.figures}) == 8


def test_numbers_are_those_of_the_comparison(data: ReportData, compared: Comparison) -> None:
    rows = {row[0]: row for row in section(data, "strategies").tables[0].rows}
    for label in compared.strategies:
        assert rows[label][1:3] == [percent(compared.accuracy(label).mean), interval(compared.accuracy(label))]
    rescued = {row[0]: row for row in section(data, "rescue").tables[0].rows}
    assert rescued["writes"][2].startswith(percent(compared.rescue("writes", "majority").rescued.mean))
    verdicts = section(data, "pairs").tables[0]
    assert len(verdicts.rows) == 6
    curve = section(data, "curves").figures[0].series[0]
    assert [p.value for p in curve.points] == [100 * one.mean for one in compared.curves()["pass@k"].points.values()]


def test_the_summary_answers_who_by_how_much_and_whether_one_can_tell(data: ReportData) -> None:
    words = " ".join(section(data, "summary").text)
    assert "8 problems, 16 groups of 2 candidates" in words
    assert "Most accurate is writes with 100.0 %" in words
    assert "show a difference of" in words or "is better than" in words
    assert "an oracle that picks the best of 2 would reach" in words


def test_a_share_that_rounds_to_zero_has_no_minus() -> None:
    assert (percent(-0.0001), percent(-0.0001, signed=True), percent(-0.0123, signed=True)) == ("0.0", "+0.0", "−1.2")


def test_verdicts_turn_with_the_pair() -> None:
    """The winner stands first in a sentence, whichever side of the pair it was."""
    sets = [tts.Sampled(one.candidates, "1") for one in _sets(["21"] * 8)]
    told = sections(report_data(tts.compare(sets, strategies=["first", "best_of_n"], k=2, scorer="recorded:scores")))
    words = " ".join(told[0].text)
    assert "Best_of_n is better than first (+100.0 points" in words


def _sets(answers: list[str]) -> list[tts.Sampled]:
    return [a_set(number, one) for number, one in enumerate(answers)]


def test_without_gold_answers_nothing_is_said_of_accuracy() -> None:
    sets = [tts.Sampled(one.candidates, None) for one in _sets(["12", "11"])]
    found = sections(report_data(tts.compare(sets, strategies=["majority"], k=2)))
    assert [one.name for one in found] == ["summary", "strategies", "candidates", "checks", "setup"]
    assert "No problem has a gold answer" in " ".join(found[0].text)
    assert not found[1].figures or all(one.series for one in found[1].figures)


def test_one_problem_has_no_interval() -> None:
    found = sections(report_data(tts.compare(_sets(["12"]), strategies=["first", "majority"], k=2)))
    (figure,) = next(one for one in found if one.name == "strategies").figures
    assert {point.low for one in figure.series for point in one.points} == {None}


def test_cost_and_frontier_are_there_where_tokens_are_known(fake: Any) -> None:
    fake()
    run = tts.compare(sums(3), strategies=["first", "majority"], k=2, model="fake:m")
    found = {one.name: one for one in sections(report_data(run))}
    generated = run.usage("majority").generated_tokens
    (figure,) = found["tokens"].figures
    assert figure.series[1].points[0].at == generated / 3
    (cost,) = found["cost"].figures
    per_group = sum(p.value for one in cost.series for p in one.points if p.at == "majority")
    assert math.isclose(per_group, run.usage("majority").total_tokens / 3)
    assert found["setup"].tables[0].rows[0] == ["policy", "fake:m (fake)"]


def test_time_stands_apart_from_what_was_asked(fake: Any) -> None:
    fake(delay=lambda *_: 0.02)
    run = tts.compare(sums(3), strategies=["majority"], k=2, model="fake:m")
    found = {one.name: one for one in sections(report_data(run))}
    (row,) = found["time"].tables[0].rows
    seconds = run.costs("majority")["policy"].seconds
    assert row[2:4] == ["policy", f"{seconds:,.1f}"] and seconds > 0.1
    assert "model-seconds" in found["time"].tables[0].notes[0]
    assert not any("second" in text.lower() for text in (*found["cost"].text, *found["cost"].tables[0].head))


def test_prices_are_per_group_and_per_thousand_right_answers(fake: Any) -> None:
    fake()
    run = tts.compare(sums(6), strategies=["first", "majority"], k=2, model="fake:m")
    prices = Prices(currency="EUR", policy=Price(prompt=1.0, generated=4.0))
    (cost,) = [one for one in sections(report_data(run, prices=prices)) if one.name == "cost"]
    table = cost.tables[1]
    each = prices.of(run.costs("majority")) / 6
    assert table.head[1] == "EUR per group"
    accuracy = run.accuracy("majority").mean
    assert table.rows[1] == ["majority", f"{each:.4g}", f"{1000 * each / accuracy:.4g}" if accuracy else ""]
    (plain,) = [one for one in sections(report_data(run)) if one.name == "cost"]
    assert len(plain.tables) == 1


def test_what_is_written_is_measured_beside_a_candidate(fake: Any) -> None:
    fake(script=lambda request, _: "a b c d \\boxed{1}" if len(request.messages[-1].content) > 400 else "\\boxed{1}")
    run = tts.compare(sums(3), strategies=["majority", "gsr"], k=2, model="fake:m")
    found = {one.name: one for one in sections(report_data(run))}
    lengths = run.lengths("gsr")
    candidate, output = found["outputs"].tables[0].rows
    assert (candidate[0], output[0]) == ("a candidate", "gsr, an output")
    assert output[-1] == percent(lengths.reduction, signed=True)
    (figure,) = found["outputs"].figures
    assert sum(p.value for one in figure.series for p in one.points if p.at == "gsr") == lengths.written.mean


def test_the_estimate_over_all_subsets_stands_beside_that_of_groups(data: ReportData, compared: Comparison) -> None:
    table = section(data, "strategies").tables[0]
    place = table.head.index("over all subsets")
    rows = {row[0]: row[place] for row in table.rows}
    assert rows["majority"].startswith(percent(compared.curves()["maj@k"].points[2].mean))
    assert rows["writes"] == ""


def test_twins_and_doubtful_grades_are_listed() -> None:
    sets = _sets(["12", "11"])
    twin = sets[1].candidates.problem.model_copy(update={"id": "twin"})
    sets.append(tts.Sampled(sets[1].candidates.model_copy(update={"problem": twin}), "2"))
    run = tts.compare(sets, strategies=["majority"], k=2)
    doubtful = Disagreement("p0", "1/2", "0.5001", 3, Opinions(True, False, None, False))
    (checks,) = [one for one in sections(report_data(run, disagreements=[doubtful])) if one.name == "checks"]
    twins, grades = checks.tables
    assert twins.rows == [["p1, twin", "1 against 2"]]
    assert grades.rows == [["p0: 0.5001", "1/2", "3", "yes", "no", "", "no"]]
    assert "1 text under several ids" in checks.text[0] and "1; no grade was changed" in checks.text[0]
    (clean,) = [one for one in sections(report_data(run)) if one.name == "checks"]
    assert "not looked for" in clean.text[0]


def words(_data: ReportData) -> Section:
    points = (Point("a", 1.0),)
    return Section("words", "Words", ("said",), (), (Figure("words", "W", "bars", "x", "", (Series("s", points),)),))


def broken(_data: ReportData) -> Section:
    raise KeyError("oh")


def nothing(_data: ReportData) -> None:
    return None


def html(_data: ReportData) -> str:
    return "<b>no</b>"


@pytest.fixture
def stranger() -> Any:
    host = tts.plugins()
    added: list[str] = []

    def add(build: Any) -> None:
        added.append(build.__name__)
        host.register("report", build.__name__, build)

    yield add
    for name in added:
        host._entries["report"].pop(name)
        host._resolved.pop(("report", name))


def test_a_strangers_section_comes_after_ours(data: ReportData, stranger: Any) -> None:
    stranger(words)
    stranger(nothing)
    assert [one.name for one in sections(data)][-1] == "words"


@pytest.mark.parametrize(("build", "reason"), [(broken, "KeyError"), (html, "TypeError: it returned a str")])
def test_a_broken_section_is_left_out_with_a_warning(data: ReportData, stranger: Any, build: Any, reason: str) -> None:
    before = [one.name for one in sections(data)]
    stranger(build)
    with pytest.warns(tts.PluginWarning, match=f"'{build.__name__}' was left out: {reason}"):
        found = sections(data)
    assert [one.name for one in found] == before


def test_what_is_missing_is_told_and_graded_nowhere(fake: Any) -> None:
    """Of two candidates of each problem one is refused; on one problem both are."""

    class Declines(FakeBackend):
        async def generate(self, request: tts.Request) -> Any:
            async for one in super().generate(request):
                lost: Any = {"text": "", "summary": None, "finish_reason": "refused", "error": "not this"}
                first = request.context == "p0" or one.index == 0
                yield one.model_copy(update=lost) if first else one

    tts.plugins().register("backend", "fake", Declines)
    run = tts.compare(sums(4), strategies=["majority"], k=2, model="fake:m")
    data = report_data(run)
    found = {one.name: one for one in sections(data)}
    words = " ".join(found["summary"].text)
    assert "5 of 8 candidates missing (5 refused); effective k 1.00." in words
    assert "1 of 4 decisions missing" in words and "Why: 5× not this." in words
    right = run.outcome_classes("majority")["correct"]
    assert f"it is {25 * right:.1f} to {25 * right + 25:.1f} %" in words
    (table,) = [one for one in found["candidates"].tables if one.title == "Outcome classes"]
    rows = {row[0]: dict(zip(table.head, row, strict=True)) for row in table.rows}
    assert (rows["candidates"]["refused"], rows["majority"]["refused"]) == ("5", "1")
    refused = data.shown[0]
    assert refused.entry["correct"] == [[None]] and refused.entry["any"] == [None]
    candidates = [one for shown in data.shown for group in shown.detail["groups"] for one in group["candidates"]]
    assert [one.get("outcome") for one in candidates].count("refused") == 5
    assert not any("correct" in one for one in candidates if one.get("outcome") == "refused")
