"""What is missing is no wrong answer: numbers against brute force, and against never having asked."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations, product
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from doubles import FakeBackend, sums
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tts
from tts.eval import Comparison, Graded, Missing, candidate_class, outcome_class, result_classes, tolerated
from tts.vocabulary.outcome_class import MISSING, is_there
from tts.vocabulary.records import Provenance

SETTINGS = settings(max_examples=60, deadline=None)
CLASS = {"c": "correct", "w": "wrong", "n": "no answer", "t": "truncated", "r": "refused", "f": "failed"}
LABELS = ("first", "majority")


def a_candidate(index: int, letter: str) -> tts.Candidate:
    """One of each class; "c" and "w" have the answers 1 and 2."""
    if letter in "rf":
        reason: Any = "refused" if letter == "r" else "error"
        return tts.Candidate(index=index, text="", finish_reason=reason, error=f"it {CLASS[letter]}")
    answer = {"c": "1", "w": "2"}.get(letter)
    text = f"\\boxed{{{answer}}}" if answer else "hm"
    return tts.Candidate(
        index=index, text=text, summary=text, answer=answer, finish_reason="length" if letter == "t" else "stop"
    )


def a_result(problem: tts.Problem, group: int, letter: str, candidates: tuple[tts.Candidate, ...]) -> tts.Result:
    like = a_candidate(0, letter)
    return tts.Result(
        problem=problem,
        group=group,
        candidates=candidates,
        decision=tts.Decision(text=like.text) if like.error is None else None,
        answer=like.answer,
        usage={},
        seconds=0.0,
        provenance=Provenance(strategy="s", k=4, parameters={}, seed=0, models={}, version="0"),
        error=like.error,
        finish_reasons=(like.finish_reason,) if letter in "tr" else (),
    )


def compared(rows: list[list[tuple[str, str]]], k: int) -> Comparison:
    """A list of groups for each problem: the letters of its candidates, and of what each strategy says."""
    graded = []
    for number, groups in enumerate(rows):
        problem = tts.Problem(id=f"p{number}", prompt=f"{number}?")
        for group, (letters, said) in enumerate(groups):
            candidates = tuple(a_candidate(i, letter) for i, letter in enumerate(letters))
            results = {
                label: a_result(problem, group, letter, candidates) for label, letter in zip(LABELS, said, strict=True)
            }
            grades = {label: (letter == "c",) for label, letter in zip(LABELS, said, strict=True)}
            outcome = tts.Outcome(number, problem, "1", group, candidates, results, {})
            graded.append(Graded(outcome, tuple(letter == "c" for letter in letters), grades))
    return Comparison(graded, {label: tts.strategy(label) for label in LABELS}, k, {}, 0.0)


def groups_of(k: int) -> st.SearchStrategy[Any]:
    letters = st.text("cwntrf", min_size=k, max_size=k)
    said = st.text("cwntrf", min_size=2, max_size=2)
    return st.lists(st.lists(st.tuples(letters, said), min_size=1, max_size=2), min_size=1, max_size=3)


ROWS = st.integers(1, 3).flatmap(lambda k: st.tuples(st.just(k), groups_of(k)))


def flat(rows: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    return [group for groups in rows for group in groups]


def without_missing(letters: str) -> str:
    return letters.replace("r", "").replace("f", "")


@given(ROWS)
@SETTINGS
def test_every_response_is_of_one_class(given: tuple[int, list[list[tuple[str, str]]]]) -> None:
    k, rows = given
    found = compared(rows, k)
    letters = Counter("".join(candidates for candidates, _ in flat(rows)))
    assert found.outcome_classes() == {CLASS[letter]: n for letter, n in letters.items()}
    for place, label in enumerate(LABELS):
        said = Counter("r" if said[place] == "f" and set(own) == {"r"} else said[place] for own, said in flat(rows))
        assert found.outcome_classes(label) == {CLASS[letter]: n for letter, n in said.items()}


@given(ROWS)
@SETTINGS
def test_numbers_are_of_what_is_there(given: tuple[int, list[list[tuple[str, str]]]]) -> None:
    k, rows = given
    found = compared(rows, k)
    own = ["".join(without_missing(letters) for letters, _ in groups) for groups in rows]
    means = [letters.count("c") / len(letters) for letters in own if letters]
    assert (found.pass_at_1 and found.pass_at_1.mean) == (pytest.approx(mean(means)) if means else None)
    some = [left for letters, _ in flat(rows) if (left := without_missing(letters))]
    assert (found.pass_at_k and found.pass_at_k.mean) == (
        pytest.approx(mean("c" in left for left in some)) if some else None
    )
    assert found.effective_k == (pytest.approx(mean(map(len, some))) if some else None)
    for place, label in enumerate(LABELS):
        decided = [said[place] for _, said in flat(rows) if said[place] not in "rf"]
        accuracy = found.accuracy(label)
        assert (accuracy and accuracy.mean) == (pytest.approx(mean(one == "c" for one in decided)) if decided else None)
        assert (accuracy and accuracy.n) == (len(decided) or None)
    both = [said for _, said in flat(rows) if not set(said) & set("rf")]
    gap = found.gap("first", "majority")
    assert (gap and gap.mean) == (
        pytest.approx(mean((one[0] == "c") - (one[1] == "c") for one in both)) if both else None
    )
    assert [pair.difference.n for pair in found.pairs()] == ([len(both)] if both else [])
    if both:
        assert found.pairs()[0].difference.mean == pytest.approx(gap.mean)
        assert sum(cell.mean for cell in found.rescue("first")) == pytest.approx(1)


def completions(letters: str) -> list[str]:
    """Everything that this would be, were what is missing there: right or wrong."""
    return ["".join(one) for one in product(*(("c", "w") if letter in "rf" else letter for letter in letters))]


@given(ROWS)
@SETTINGS
def test_bounds_are_the_least_and_the_most_that_it_could_be(given: tuple[int, list[list[tuple[str, str]]]]) -> None:
    k, rows = given
    missing = sum(letter in "rf" for candidates, said in flat(rows) for letter in candidates + said)
    assume(missing <= 8)
    every = []
    for full in product(*(completions(letters + said) for letters, said in flat(rows))):
        whole, place = [], 0
        for groups in rows:
            whole.append([(one[:k], one[k:]) for one in full[place : place + len(groups)]])
            place += len(groups)
        every.append(compared(whole, k))
    found = compared(rows, k)
    for label in LABELS:
        means = [one.accuracy(label).mean for one in every]
        assert found.bounds(label) == pytest.approx((min(means), max(means)))
    assert found.pass_at_1_bounds == pytest.approx((min(m := [one.pass_at_1.mean for one in every]), max(m)))
    assert found.pass_at_k_bounds == pytest.approx((min(m := [one.pass_at_k.mean for one in every]), max(m)))
    if not missing:
        assert found.bounds("first") == (found.accuracy("first").mean,) * 2
        assert found.missing == Missing(len(rows), 0, k * len(flat(rows)), 0, 2 * len(flat(rows)))


def vote(letters: tuple[str, ...]) -> float:
    """Of the answers with the most votes the share that is right; nobody's vote is wrong."""
    votes = Counter(letter for letter in letters if letter in "cw")
    leading = [letter for letter, n in votes.items() if n == max(votes.values())]
    return (("c" in leading) / len(leading)) if leading else 0.0


@given(st.lists(st.text("cwntrf", min_size=1, max_size=5), min_size=1, max_size=3))
@SETTINGS
def test_curves_are_over_subsets_of_what_is_there(own: list[str]) -> None:
    """By listing the subsets; the same as if what failed had never been asked for."""
    left = [found for letters in own if (found := without_missing(letters))]
    found = compared([[(letter, "cc") for letter in letters] for letters in own], 1)
    never = compared([[(letter, "cc") for letter in letters] for letters in left], 1)
    n = min(map(len, left), default=0)
    for kind, right in (("pass@k", lambda one: float("c" in one)), ("maj@k", vote)):
        points = found.curves()[kind].points if n else {}
        assert list(points) == list(range(1, n + 1))
        for k, point in points.items():
            assert point.mean == pytest.approx(mean(mean(map(right, combinations(one, k))) for one in left))
        if n:
            assert points == never.curves()[kind].points
    assert found.pass_at_1 == never.pass_at_1
    if n:
        assert found.pass_at_1 == pytest.approx(found.curves()["pass@k"].points[1]), "whatever the groups"


@given(st.lists(st.text("cwrf", min_size=4, max_size=4), min_size=1, max_size=3))
@SETTINGS
def test_single_candidates_are_the_same_in_groups_of_any_size(own: list[str]) -> None:
    found = [
        compared([[(letters[i : i + k], "cc") for i in range(0, 4, k)] for letters in own], k).pass_at_1
        for k in (1, 2, 4)
    ]
    assert len(set(found)) == 1


class Losing(FakeBackend):
    """Loses the candidates of the seeds that `lose` names, refused ones before failed ones."""

    share = 5

    async def generate(self, request: tts.Request) -> Any:
        async for one in super().generate(request):
            seed = request.seeds[one.index]
            if seed % self.share == 1 and "Candidate Response" not in request.messages[-1].content:
                why: Any = {"finish_reason": "refused" if seed % 2 else "error", "error": "gone"}
                yield one.model_copy(update={"text": "", "summary": None, "thinking": None, **why})
            else:
                yield one


@pytest.fixture
def losing(fake: Any) -> type[Losing]:
    cls = type("Loses", (Losing,), {})
    tts.plugins().register("backend", "fake", cls)
    return cls


def test_a_run_that_lost_some_is_a_run_that_never_asked_for_them(losing: type[Losing], tmp_path: Path) -> None:
    """What was lost is not stored, so a store of the run is one that never asked."""
    store = tmp_path / "s.db"
    found = tts.compare(sums(20), strategies=["first"], k=1, n=5, model="fake:m", store=store)
    assert 10 < found.missing.candidates_missing < 40
    never = tts.compare(store, strategies=["first"], k=1)
    assert not never.missing.incomplete
    assert never.pass_at_1 == pytest.approx(found.pass_at_1)
    assert {k: one.mean for k, one in never.curves()["maj@k"].points.items()} == pytest.approx(
        {k: one.mean for k, one in found.curves()["maj@k"].points.items()}
    )
    losing.share = 10**30
    whole = tts.compare(sums(20), strategies=["first"], k=1, n=5, model="fake:m", store=store)
    assert not whole.missing.incomplete
    assert losing.completions() == 100 + found.missing.candidates_missing, "only these are asked for again"
    low, high = found.pass_at_1_bounds
    assert low < whole.pass_at_1.mean < high


def test_tables_files_and_repr_say_what_is_missing(losing: type[Losing], tmp_path: Path) -> None:
    found = tts.compare(sums(20), strategies=["majority"], k=4, model="fake:m")
    lost = found.missing.candidates_missing
    line = f"{lost} of 80 candidates missing ("
    assert line in str(found) and line in repr(found) and line in found._repr_html_()
    assert f"effective k {found.effective_k:.2f}" in str(found)
    table = found.tables()[1]
    assert table.title == "Outcome classes"
    assert table.head == ["", "correct", "wrong", "refused", "failed", "over all"]
    low, high = found.pass_at_1_bounds
    assert table.rows[0][-1] == f"{100 * low:.1f} … {100 * high:.1f}"
    assert max(map(len, str(table).splitlines())) <= 80
    summary = json.loads(found.save(tmp_path / "a.json").read_text())
    assert summary["missing"]["candidates_missing"] == lost
    assert summary["missing"]["reasons"] == {"gone": lost}
    assert summary["candidate_outcomes"] == found.outcome_classes()
    assert summary["strategies"]["majority"]["outcomes"] == found.outcome_classes("majority")
    rows = [json.loads(row) for row in found.save(tmp_path / "a.jsonl").read_text().splitlines()]
    assert sum(row["candidates_missing"] for row in rows) == lost
    assert Counter(row["outcome"] for row in rows) == found.outcome_classes("majority")
    frame = found.to_dataframe()
    assert set(frame["outcome"]) == set(found.outcome_classes("majority"))


def test_where_all_is_there_nothing_is_said(fake: Any) -> None:
    fake()
    found = tts.run(sums(3), strategy="majority", k=2, model="fake:m")
    assert "missing" not in str(found) and "Outcome" not in str(found) and "cut" not in repr(found)
    found.raise_for_missing()


def test_cut_responses_are_told_with_the_limit(fake: Any) -> None:
    fake(script=lambda *_: "well, let me see")

    class Cuts(FakeBackend):
        async def generate(self, request: tts.Request) -> Any:
            async for one in super().generate(request):
                cut: Any = {"text": "well", "thinking": None, "summary": "well", "finish_reason": "length"}
                yield one.model_copy(update={**cut, "usage": tts.Usage(calls=1, answer_tokens=5)})

    tts.plugins().register("backend", "fake", Cuts)
    five = tts.Sampling(max_tokens=5)
    found = tts.run(sums(2), strategy="gsr", k=4, model="fake:m", sampling=five)
    sentence = "8 of 8 responses were cut at max_tokens=5"
    assert sentence in str(found) and sentence in repr(found)
    assert found.outcome_classes() == {"truncated": 8}
    assert found.outcome_classes("gsr") == {"truncated": 2}, "what a strategy wrote was cut, too"
    assert sentence in repr(tts.sample(sums(2), k=4, model="fake:m", sampling=five))
    unlimited = tts.run(sums(2), strategy="majority", k=4, model="fake:m")
    assert "8 of 8 responses were cut at the limit of tokens" in str(unlimited)


def test_a_refused_refinement_is_refused_and_a_broken_strategy_failed(fake: Any) -> None:
    class Declines(FakeBackend):
        reason = "refused"

        async def generate(self, request: tts.Request) -> Any:
            async for one in super().generate(request):
                refine = "Candidate Response" in request.messages[-1].content
                lost: Any = {"text": "", "finish_reason": self.reason, "error": "no"}
                yield one.model_copy(update=lost) if refine else one

    fake()
    tts.plugins().register("backend", "fake", Declines)
    assert tts.run(sums(2), strategy="gsr", k=2, model="fake:m").outcome_classes("gsr") == {"refused": 2}
    Declines.reason = "error"
    assert tts.run(sums(2), strategy="gsr", k=2, model="fake:m").outcome_classes("gsr") == {"failed": 2}


def test_a_problem_whose_candidates_are_all_refused_is_refused() -> None:
    refused = tuple(a_candidate(i, "r") for i in range(2))
    blank = tuple(tts.Candidate(index=i, text=" ", summary=" ") for i in range(2))
    problem = tts.Problem(id="p", prompt="?")

    def classes(candidates: tuple[tts.Candidate, ...]) -> tuple[str, ...]:
        one = a_result(problem, 0, "f", candidates)
        return result_classes(one)

    assert classes(refused) == ("refused",)
    assert classes((refused[0], a_candidate(1, "f"))) == ("failed",)
    assert classes(()) == ("failed",)
    assert classes((refused[0], a_candidate(1, "c"))) == ("failed",), "something else went wrong"
    assert classes(blank) == ("no answer",), "the model was asked, and said nothing"
    assert classes((blank[0], refused[0])) == ("refused",)


def test_an_end_of_the_budget_is_missing_and_not_wrong(fake: Any) -> None:
    fake(script=lambda *_: "\\boxed{1}", capabilities=tts.Capabilities(seed=True, concurrency=1))
    given = [one.model_copy(update={"answer": "1"}) for one in sums(6)]
    found = tts.run(given, strategy="majority", k=2, model="fake:m", budget=75)
    asked = found.outcome_classes()
    assert asked["correct"] and asked["failed"] and set(asked) == {"correct", "failed"}
    assert sum(asked.values()) == 12
    assert found.accuracy("majority").mean == found.pass_at_1.mean == 1
    assert found.bounds("majority").low == found.accuracy("majority").n / 6
    assert "are spent and the budget is 75" in str(found)
    with pytest.raises(tts.IncompleteError, match="problems are incomplete"):
        found.raise_for_missing()


def test_what_is_there_is_of_no_class_that_is_missing() -> None:
    for letter, name in CLASS.items():
        one = a_candidate(0, letter)
        assert candidate_class(one, letter == "c") == name
        assert is_there(one) == (name not in MISSING)


def test_a_cut_response_with_an_answer_is_graded() -> None:
    cut = a_candidate(0, "c").model_copy(update={"finish_reason": "length"})
    assert candidate_class(cut, True) == "correct"
    assert candidate_class(cut) == "ungraded"
    assert outcome_class(None, None, cut=True) == "truncated"
    assert outcome_class("1", True, refused=True, failed=True) == "refused"


@pytest.mark.parametrize(
    ("given", "of", "most"), [(0, 10, 0), (3, 10, 3), ("3", 10, 3), ("5%", 30, 1), ("100%", 7, 7), ("12.5 %", 8, 1)]
)
def test_what_is_tolerated(given: Any, of: int, most: int) -> None:
    assert tolerated(given, of) == most


@pytest.mark.parametrize("given", ["-1", "a", "101%", "1.5", "", "%", True, -2])
def test_nonsense_is_not_tolerated(given: Any) -> None:
    with pytest.raises(tts.ConfigError, match="give a number of problems such as 3, or a share such as '5%'"):
        tolerated(given, 10)


def test_samples_say_what_is_missing(losing: type[Losing]) -> None:
    found = tts.sample(sums(10), k=4, model="fake:m")
    lost = sum(c.error is not None for one in found for c in one)
    assert found.missing[1:4] == (sum(any(c.error for c in one) for one in found), 40, lost)
    assert f"{lost} of 40 candidates are missing ({lost}× gone)" in repr(found)
    found.missing.check("100%")
    with pytest.raises(tts.IncompleteError, match="only what is missing is asked for"):
        found.missing.check()
