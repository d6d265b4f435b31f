"""What each control does to a group of candidates."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts import Candidate, Problem
from tts.eval.control_kinds import Control, Group, controls_of, miscopied, slipped, visible
from tts.tasks.sums import Sums, terms_of, value

PROBLEM = Problem(id="p", prompt="Bo has 12 jars of 7 plums. How many?")


def one(index: int, text: str, answer: str | None) -> Candidate:
    return Candidate(index=index, text=text, answer=answer)


RIGHT = one(0, "12*7 = 84\n\\boxed{84}", "84")
WRONG = one(1, "12*7 = 74\n\\boxed{74}", "74")
THINKING = Candidate(index=2, text="<think>hm</think>\\boxed{84}", thinking="hm", summary="\\boxed{84}", answer="84")


def group(*candidates: Candidate, donor: tuple[Candidate, ...] = (), seed: int = 0) -> Group:
    right = tuple(c for c in candidates if c.answer == "84")
    wrong = tuple(c for c in candidates if c.answer != "84")
    correct = tuple(c.answer == "84" for c in candidates)
    return Group(PROBLEM, "84", candidates, correct, wrong, right, donor, "9", lambda *_: None, random.Random(seed))


def control(name: str, k: int = 4) -> Control:
    return {one.name: one for one in controls_of(k)}[name]


def texts(name: str, of: Group) -> list[str] | None:
    made = control(name, len(of.candidates)).change(of)
    return None if made is None else [each if isinstance(each, str) else visible(each) for each in made]


def test_names_differ_and_the_first_changes_nothing() -> None:
    names = [one.name for one in controls_of(4)]
    assert names[0] == "own" and len(set(names)) == len(names)
    assert [n for n in names if n.startswith("misread")] == ["misread in 1", "misread in 2", "misread in 4"]
    assert [n for n in (one.name for one in controls_of(1)) if n.startswith("slip")] == ["slip in 1"]
    assert control("own").change(group(RIGHT, WRONG)) == (RIGHT, WRONG)


@given(st.integers(0, 1000))
def test_order_and_noise_keep_what_there_is(seed: int) -> None:
    of = group(RIGHT, WRONG, RIGHT, WRONG, seed=seed)
    assert Counter(texts("shuffled", of) or ()) == Counter(map(visible, of.candidates))
    assert [Counter(text.split()) for text in texts("noise", of) or ()] == [
        Counter(visible(c).split()) for c in of.candidates
    ]


def test_only_the_answer_or_only_the_solution() -> None:
    of = group(RIGHT, WRONG)
    assert texts("boxes", of) == ["\\boxed{84}", "\\boxed{74}"]
    assert texts("right boxes", of) == ["\\boxed{84}"] * 2
    assert texts("unanswered", of) == ["12*7 = 84", "12*7 = 74"]
    assert texts("unanswered", group(RIGHT, one(1, "\\boxed{84}", "84"))) is None, "nothing would be left"


def test_one_candidate_for_all() -> None:
    assert texts("copies", group(RIGHT, WRONG)) == [visible(WRONG)] * 2
    assert texts("right", group(RIGHT, WRONG)) == [visible(RIGHT)] * 2
    assert texts("copies", group(RIGHT, RIGHT)) is None
    assert texts("right", group(WRONG, WRONG)) is None
    consensus = texts("consensus", group(RIGHT, WRONG)) or []
    assert consensus == ["12*7 = 84\n\\boxed{74}", "12*7 = 74\n\\boxed{74}"]


def test_traces_authors_and_others() -> None:
    assert texts("traces", group(RIGHT, THINKING)) == [visible(RIGHT), "hm\n\n\\boxed{84}"]
    assert texts("traces", group(RIGHT, WRONG)) is None
    signed = texts("signed", group(RIGHT, WRONG)) or []
    assert sorted(text.partition(".")[0] for text in signed) == [
        "Written by a beginner",
        "Written by a world-class expert",
    ]
    assert control("other").change(group(RIGHT, donor=(WRONG,))) == (WRONG,)
    assert all(text.strip() for text in texts("empty", group(RIGHT, WRONG)) or [""])


@pytest.mark.parametrize(("name", "count"), [("slip in 1", 1), ("misread in 2", 2), ("misread in 4", 4)])
def test_so_many_are_planted(name: str, count: int) -> None:
    of = group(RIGHT, WRONG, RIGHT, WRONG)
    changed = texts(name, of) or []
    assert sum(new != visible(old) for new, old in zip(changed, of.candidates, strict=True)) == count


@given(st.integers(0, 1000))
def test_a_miscopied_number_is_another_wherever_it_stands(seed: int) -> None:
    text = "12 jars, so 12*7 = 84; 112 and 12.5 are other numbers"
    found = miscopied(PROBLEM, text, random.Random(seed))
    assert found is not None and found != text
    assert "112 and 12.5" in found and "84" in found
    assert found.startswith("12 jars, so 12*") or not re.search(r"(?<!\d)12(?![\d.])", found), "everywhere or nowhere"
    assert miscopied(PROBLEM, "no number of it", random.Random(seed)) is None


@given(st.integers(0, 1000))
def test_a_slip_is_one_other_result(seed: int) -> None:
    found = slipped("2*3 = 6 and 4*5 = 20", random.Random(seed))
    assert found is not None
    assert ("= 6 " in found) != ("= 20" in found)
    assert slipped("nothing is worked out", random.Random(seed)) is None


@given(st.integers(0, 200))
def test_sums_plants_what_it_says(seed: int) -> None:
    task = Sums(size=1, seed=seed)
    (example,) = task.examples()
    rng = random.Random(seed)
    terms = terms_of(example.problem)
    for fault in ("slip", "miscopied"):
        text = task.planted(example.problem, fault, rng)
        assert text is not None
        assert f"\\boxed{{{example.answer}}}" not in text, "the fault reaches the answer"
        lines = re.findall(r"^(\d+[*+]\d+) = (\d+)$", text, re.MULTILINE)
        wrong = [step for step, result in lines if eval(step) != int(result)]
        products = Counter(step for step, _ in lines if "*" in step)
        strange = products - Counter(f"{t.left}*{t.right}" for t in terms)
        assert products.total() == len(terms)
        assert (len(wrong), strange.total()) == ((1, 0) if fault == "slip" else (0, 1))
    assert value(terms) == int(example.answer or "")
    assert task.planted(Problem(id="q", prompt="2+2?"), "slip", rng) is None
