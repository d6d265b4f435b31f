from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts import Candidate, Problem
from tts.prompts import direct_messages, refine_messages
from tts.tasks.sums import Sums, Term, comparison, response, solution, terms_of
from tts_trainers.data.audit import RefinePrompts
from tts_trainers.data.candidates import CandidateGroup, choose, limit_all_correct
from tts_trainers.replica.refinement import refinement
from tts_trainers.replica.rows import direct_rows, refine_rows

PROBLEM = Problem(id="p", prompt="Compute 1*1+1*1.")


def _candidates(count: int) -> list[Candidate]:
    return [Candidate(index=i, text=str(i), summary=str(i)) for i in range(count)]


@given(correct=st.lists(st.booleans(), min_size=6, max_size=6), seed=st.integers())
def test_correct_candidates_come_first_and_wrong_ones_fill(correct: list[bool], seed: int) -> None:
    group = choose(PROBLEM, _candidates(6), correct, shown=4, rng=random.Random(seed))
    assert len(group.candidates) == len({c.index for c in group.candidates}) == 4
    assert group.n_correct == min(4, sum(correct))
    assert group.correct == tuple(correct[c.index] for c in group.candidates)


def test_all_wrong_sets_are_kept() -> None:
    group = choose(PROBLEM, _candidates(6), [False] * 6, shown=4, rng=random.Random(0))
    assert group.correct == (False,) * 4


def test_the_order_shown_is_shuffled() -> None:
    correct = [True, True, False, False, False, False]
    orders = {choose(PROBLEM, _candidates(6), correct, shown=4, rng=random.Random(i)).correct for i in range(50)}
    assert len(orders) == 6


def _group(n_correct: int) -> CandidateGroup:
    return CandidateGroup(PROBLEM, tuple(_candidates(4)), tuple(i < n_correct for i in range(4)))


@given(counts=st.lists(st.integers(0, 4), max_size=60), share=st.floats(0, 1, allow_nan=False), seed=st.integers(0, 99))
def test_all_correct_groups_are_limited_and_nothing_else_is_dropped(counts: list[int], share: float, seed: int) -> None:
    kept = limit_all_correct([_group(c) for c in counts], share, rng=random.Random(seed))
    left = [g.n_correct for g in kept]
    assert [c for c in left if c < 4] == [c for c in counts if c < 4]
    assert left.count(4) <= share * len(left) + 1e-9 or share == 1
    assert left.count(4) <= counts.count(4)


async def _words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def _sums_group() -> CandidateGroup:
    problem = next(iter(Sums(split="train").examples())).problem
    good = solution(terms_of(problem))
    first = str(terms_of(problem)[0].left)
    texts = [good, good.replace(f"{first}*", f"{int(first) + 1}*"), "no parts", good]
    candidates = tuple(Candidate(index=i, text=text, summary=text) for i, text in enumerate(texts))
    return CandidateGroup(problem, candidates, (True, False, False, True))


def test_refine_rows_use_the_prompt_of_inference() -> None:
    group = _sums_group()
    (row,) = refine_rows([group], count_tokens=_words, seed=5)
    prompt = asyncio.run(refine_messages(group.problem, group.candidates, rng=random.Random(5), count_tokens=_words))
    assert row["prompt"] == [m.model_dump() for m in prompt.messages]
    assert row["objective"] == "refine"


def test_refine_target_reads_the_problem_checks_the_candidates_and_then_solves() -> None:
    group = _sums_group()
    (row,) = refine_rows([group], count_tokens=_words, seed=5)
    terms = terms_of(group.problem)
    given = ", ".join(f"{term.left}*{term.right}" for term in terms)
    shown = RefinePrompts().read(row["prompt"][0]["content"])
    assert shown is not None
    good = solution(terms)
    verdicts = ["yes" if text == good else "none" if text == "no parts" else "no" for text in shown.candidates]
    said, _, compared = row["completion"][0]["content"].removeprefix(f"<think>\n{given}.\n").partition("\n")
    assert [one.split()[1].rstrip(".") for one in said.split(", ")] == verdicts
    assert compared == response(comparison(terms, [good, good]), good).removeprefix("<think>\n")


def test_lines_of_a_candidate_with_other_givens_are_not_used() -> None:
    terms = [Term(41, 8), Term(29, 3)]
    other = solution([Term(47, 8), Term(29, 3)])
    assert refinement(terms, [other, "…", solution(terms)]).split("\n")[:4] == [
        "41*8, 29*3.",
        "1 no 47*8, 2 none, 3 yes.",
        "41*8: doubt, 1*8=8, 4*8=32, 328",
        "29*3: doubt, 9*3=27, 2*3+2=8, 87",
    ]
    assert ": none, " in refinement(terms, [other] * 4)


def test_a_group_without_summaries_gives_no_row() -> None:
    candidates = tuple(Candidate(index=i, text="<think>\n37", summary=None) for i in range(4))
    group = CandidateGroup(_sums_group().problem, candidates, (False,) * 4)
    assert refine_rows([group], count_tokens=_words, seed=0) == []


def test_direct_rows_use_the_prompt_of_inference() -> None:
    problem = _sums_group().problem
    (row,) = direct_rows([problem])
    assert row["prompt"] == [m.model_dump() for m in direct_messages(problem)]
    assert row["completion"][0]["content"].endswith(solution(terms_of(problem)))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_only_all_correct_groups(share: float) -> None:
    assert limit_all_correct([_group(4)] * 5, share, rng=random.Random(0)) == []
