from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from helper_parts import candidate, toy_set, write_candidates
from hypothesis import given
from hypothesis import strategies as st

from tts import Candidate, ConfigError, Problem, Store, TaskError
from tts.prompts import direct_messages
from tts_trainers.helpers.graded import GradedSet, preference_pairs, read_graded, split_by_problem


@given(correct=st.integers(0, 7), wrong=st.integers(0, 7), most=st.integers(1, 60), seed=st.integers(0, 99))
def test_pairs_are_different_balanced_and_capped(correct: int, wrong: int, most: int, seed: int) -> None:
    one = toy_set(1, correct, wrong)
    pairs = preference_pairs([one], per_problem=most, seed=seed, needed=False)
    every = {(c.index, w.index) for c in one.of(True) for w in one.of(False)}
    found = [(p.chosen.index, p.rejected.index) for p in pairs]
    assert len(found) == len(set(found)) == min(most, len(every))
    assert set(found) <= every
    for side, size in ((0, correct), (1, wrong)):
        used = Counter(pair[side] for pair in found)
        counts = [used[i] for i in used] + [0] * (size - len(used))
        assert not found or max(counts) - min(counts) <= 1


@given(seed=st.integers(0, 99))
def test_the_pairs_of_a_problem_do_not_depend_on_other_problems(seed: int) -> None:
    alone = preference_pairs([toy_set(3, 3, 3)], per_problem=4, seed=seed)
    among = preference_pairs([toy_set(1), toy_set(3, 3, 3), toy_set(2)], per_problem=4, seed=seed)
    assert [p for p in among if p.problem.id == "p3"] == alone


def test_equal_responses_are_one_response_and_sets_of_one_problem_are_one_problem() -> None:
    problem = Problem(id="p", prompt="q")
    texts = ["7", "7", "3", "3"]
    one = GradedSet(problem, "7", tuple(candidate(i, t) for i, t in enumerate(texts)), (True, True, False, False))
    again = GradedSet(problem, "7", (candidate(0, "seven"),), (True,))
    assert [c.index for c in one.of(True)] == [0]
    pairs = preference_pairs([one, again], per_problem=9, seed=0)
    assert {(p.chosen.text, p.rejected.text) for p in pairs} == {("7", "3"), ("seven", "3")}


def test_no_pair_at_all_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="none of the 2 problems has both a correct and a wrong candidate; draw more"):
        preference_pairs([toy_set(1, 2, 0), toy_set(2, 0, 2)], per_problem=4, seed=0)


@given(count=st.integers(2, 30), share=st.floats(0, 0.99), seed=st.integers(0, 99))
def test_no_problem_is_on_both_sides(count: int, share: float, seed: int) -> None:
    sets = [toy_set(i // 2) for i in range(2 * count)]  # each problem comes twice
    train, held_out = split_by_problem(sets, share, seed)
    sides = [{one.problem.id for one in side} for side in (train, held_out)]
    assert not sides[0] & sides[1]
    assert len(train) + len(held_out) == len(sets)
    assert train
    assert len(sides[1]) == (max(1, int(share * count)) if share else 0)
    assert split_by_problem(sets[::-1], share, seed)[1] == held_out[::-1]


def test_one_problem_cannot_be_split() -> None:
    with pytest.raises(ConfigError, match="one problem cannot be split"):
        split_by_problem([toy_set(1)], 0.1, 0)


def test_a_file_is_graded_anew(tmp_path: Path) -> None:
    rows = '{"id": "a", "problem": "q", "answer": "1/2", "candidates": ["\\\\boxed{0.5}", "\\\\boxed{2}", ""]}\n'
    rows += '{"id": "b", "problem": "r", "candidates": ["\\\\boxed{1}"]}\n'
    (tmp_path / "c.jsonl").write_text(rows)
    (one,) = read_graded(tmp_path / "c.jsonl")
    assert (one.problem.id, one.answer, one.correct) == ("a", "1/2", (True, False))
    assert [c.index for c in one.candidates] == [0, 1]


def test_a_function_of_the_users_grades(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def same(gold, answer):\n    return gold[0] == answer[0]\n")
    row = '{"id": "a", "problem": "q", "answer": "12", "candidates": ["\\\\boxed{19}", "\\\\boxed{29}"]}\n'
    (tmp_path / "c.jsonl").write_text(row)
    (one,) = read_graded(tmp_path / "c.jsonl", grader=f"{tmp_path / 'mine.py'}:same")
    assert one.correct == (True, False)
    with pytest.raises(ConfigError, match="there is no function 'other' in"):
        read_graded(tmp_path / "c.jsonl", grader=f"{tmp_path / 'mine.py'}:other")


def test_a_store_is_read_and_limited(tmp_path: Path) -> None:
    from tts import Completion, Sampling

    path = tmp_path / "s.db"
    with Store(path) as store:
        for number in range(3):
            problem = Problem(id=f"p{number}", prompt=f"q{number}")
            store.put_problem(problem, "7")
            store.put_draw(f"k{number}", problem, "sample", "model", Sampling(), direct_messages(problem))
            for index, text in enumerate(["\\boxed{7}", "\\boxed{3}"]):
                store.put_completion(f"k{number}", index, Completion(index=index, text=text, summary=text))
    assert [one.correct for one in read_graded(path)] == [(True, False)] * 3
    assert len(read_graded(str(path), limit=2)) == 2


def test_sets_in_memory_are_graded() -> None:
    from tts import CandidateSet, Sampled

    found = CandidateSet(
        problem=Problem(id="p", prompt="q"),
        candidates=(Candidate(index=0, text="7", answer="7"), Candidate(index=1, text="", error="timeout")),
    )
    (one,) = read_graded([Sampled(found, "7.0")])
    assert one.correct == (True,)


def test_what_cannot_be_graded_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no store '.*nowhere.db'; `tts sample --store"):
        read_graded(tmp_path / "nowhere.db")
    assert not (tmp_path / "nowhere.db").exists()
    ungraded = write_candidates(tmp_path / "u.jsonl", [toy_set(1), toy_set(2)], gold=False)
    with pytest.raises(ConfigError, match="none of the 2 problems of '.*u.jsonl' has a gold answer"):
        read_graded(ungraded)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(TaskError, match="empty.jsonl has no rows"):
        read_graded(tmp_path / "empty.jsonl")
    with Store(tmp_path / "empty.db"):
        pass
    with pytest.raises(ConfigError, match="'.*empty.db' holds no candidate; draw some with"):
        read_graded(tmp_path / "empty.db")
