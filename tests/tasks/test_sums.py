from __future__ import annotations

import random
import re
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import tts
from tts import TaskError
from tts.tasks.sums import (
    Step,
    Sums,
    Term,
    comparison,
    expression,
    plan,
    question,
    recompute,
    response,
    said,
    solution,
    split_of,
    steps,
    terms_of,
    value,
)

TERMS = st.lists(st.builds(Term, st.integers(1, 999), st.integers(1, 99)), min_size=2, max_size=6)


def test_same_fields_give_the_same_problems() -> None:
    assert list(Sums(size=30, seed=3).examples()) == list(Sums(size=30, seed=3).examples())


def test_another_seed_gives_other_problems() -> None:
    assert list(Sums(size=30, seed=3).examples()) != list(Sums(size=30, seed=4).examples())


def test_a_larger_size_starts_with_the_smaller_one() -> None:
    assert list(islice(Sums(size=60).examples(), 20)) == list(Sums(size=20).examples())


def test_examples_are_lazy() -> None:
    assert len(list(islice(Sums(size=10**9).examples(), 5))) == 5


def _keys(task: Sums) -> list[tuple[Term, ...]]:
    return [tuple(sorted(terms_of(e.problem))) for e in task.examples()]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), other=st.integers(0, 10**6), terms=st.sampled_from([(2, 2), (2, 3), (3, 5), (6, 8)]))
def test_train_and_test_never_share_a_problem(seed: int, other: int, terms: tuple[int, int]) -> None:
    # Two terms of few factors, so that a shared problem would be found.
    train = Sums(size=100, seed=seed, split="train", terms=terms, left=(12, 40))
    test = Sums(size=60, seed=other, split="test", terms=terms, left=(12, 40))
    assert not set(_keys(train)) & set(_keys(test))


@settings(deadline=None)
@given(terms=TERMS, seed=st.integers())
def test_order_of_terms_does_not_change_the_side(terms: list[Term], seed: int) -> None:
    shuffled = list(terms)
    random.Random(seed).shuffle(shuffled)
    assert split_of(shuffled) == split_of(terms)


def test_no_problem_twice() -> None:
    keys = _keys(Sums(size=400, terms=(2, 2), left=(12, 40)))
    assert len(set(keys)) == 400


def test_running_out_of_problems_says_what_to_do() -> None:
    with pytest.raises(TaskError, match=r"no new test problem after \d+ of 500; ask for fewer or widen"):
        list(Sums(size=500, terms=(2, 2), left=(2, 4), right=(2, 4)).examples())


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"terms: the range \(4, 3\) is empty"):
        Sums(terms=(4, 3))


def test_gold_is_the_value_of_the_formula() -> None:
    for example in Sums(size=100).examples():
        formula = expression(terms_of(example.problem))
        assert example.answer == str(eval(formula))


def test_the_text_has_every_factor_in_order() -> None:
    for example in Sums(size=100).examples():
        numbers = [int(n) for n in re.findall(r"\d+", example.problem.text)]
        assert numbers == [n for term in terms_of(example.problem) for n in term]


def test_the_problem_does_not_hold_its_answer() -> None:
    example = next(iter(Sums().examples()))
    assert example.answer not in example.problem.model_dump_json()


@settings(deadline=None)
@given(terms=TERMS)
def test_the_worked_solution_boxes_the_gold_answer(terms: list[Term]) -> None:
    assert re.findall(r"\\boxed\{(\d+)\}", solution(terms)) == [str(value(terms))]


@settings(deadline=None)
@given(terms=TERMS)
def test_said_reads_back_the_worked_solution(terms: list[Term]) -> None:
    assert said(solution(terms)) == {str(step): step.value for step in steps(terms)}


def test_said_of_a_response_that_says_something_else() -> None:
    assert said("Well, 37*8 = 296.\n21*6 = 126\nnonsense") == {"21*6": 126}


def test_the_worked_solution_shows_running_totals() -> None:
    terms = [Term(37, 8), Term(21, 6), Term(44, 9)]
    assert solution(terms).splitlines() == [
        "37*8 = 296",
        "21*6 = 126",
        "44*9 = 396",
        "296+126 = 422",
        "422+396 = 818",
        r"\boxed{818}",
    ]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step(37, "*", 8), "7*8=56, 3*8+5=29, 296"),
        (Step(70, "*", 3), "0*3=0, 7*3=21, 210"),
        (Step(246, "+", 776), "6+6=12, 4+7+1=12, 2+7+1=10, 1022"),
        (Step(1022, "+", 92), "2+2=4, 2+9=11, 0+0+1=1, 1+0=1, 1114"),
        (Step(7, "+", 4), "7+4=11, 11"),
    ],
)
def test_recompute_goes_from_the_last_digit_on(step: Step, text: str) -> None:
    assert recompute(step) == text


@settings(deadline=None)
@given(step=st.builds(Step, st.integers(1, 9999), st.sampled_from("*+"), st.integers(1, 9999)))
def test_recompute_is_right(step: Step) -> None:
    *pieces, result = recompute(step).split(", ")
    assert int(result) == step.value
    sums = [piece.split("=") for piece in pieces]
    assert all(eval(left) == int(right) for left, right in sums)
    # The last digits in reverse, and the last piece whole, are the result.
    assert int("".join([sums[-1][1], *(right[-1] for _, right in reversed(sums[:-1]))])) == step.value


def test_comparison_takes_agreement_and_recomputes_the_rest() -> None:
    terms = [Term(37, 8), Term(21, 6), Term(44, 9)]
    one = "37*8 = 296\n21*6 = 126\n44*9 = 386\n296+126 = 422\n422+386 = 808"
    two = "37*8 = 296\n21*6 = 136\n44*9 = 386\n296+136 = 432\n432+386 = 818"
    assert comparison(terms, [one, two]).splitlines() == [
        "37*8: agree, 296",
        "21*6: differ, 1*6=6, 2*6=12, 126",
        "44*9: doubt, 4*9=36, 4*9+3=39, 396",
        "296+126: doubt, 6+6=12, 9+2+1=12, 2+1+1=4, 422",
        "422+396: none, 2+6=8, 2+9=11, 4+3+1=8, 818",
    ]


def test_a_running_total_is_recomputed_where_candidates_agree_on_it() -> None:
    terms = [Term(37, 8), Term(21, 6)]
    right = "37*8 = 296\n21*6 = 126\n296+126 = 422"
    for same in (right, right.replace("422", "412")):
        assert comparison(terms, [same, same]).splitlines()[-1] == "296+126: agree, 6+6=12, 9+2+1=12, 2+1+1=4, 422"


def test_a_single_candidate_is_no_agreement() -> None:
    terms = [Term(37, 8), Term(20, 6)]
    assert comparison(terms, [solution(terms)]).splitlines()[0] == "37*8: doubt, 7*8=56, 3*8+5=29, 296"


def test_response_has_one_closed_think_block() -> None:
    terms = [Term(37, 8), Term(21, 6)]
    thinking, summary = plan(terms), solution(terms)
    assert response(thinking, summary) == f"<think>\n2 products.\n</think>\n\n{summary}"


def test_every_wording_is_used() -> None:
    terms = [Term(37, 8), Term(21, 6)]
    texts = {question(terms, random.Random(i)) for i in range(100)}
    assert {text.split(" ", 1)[0] for text in texts} == {"Compute", "What", "Find", "Add"}


def test_ranges_can_be_written_as_text() -> None:
    (example,) = tts.read_examples("task:sums@size=1,terms=6-6,left=200-299")
    terms = terms_of(example.problem)
    assert len(terms) == 6
    assert all(200 <= term.left <= 299 for term in terms)
