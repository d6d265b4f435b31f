from __future__ import annotations

import json
from pathlib import Path

import pytest
from helper_parts import candidate, llama, run_train, tokenizer, toy_set, write_candidates
from hypothesis import given
from hypothesis import strategies as st

from tts import ConfigError, Problem
from tts_trainers.helpers.graded import GradedSet
from tts_trainers.helpers.recipe import HelperOptimisation
from tts_trainers.helpers.synthesizer import SynthesizerRecipe, synthesis_rows, train_synthesizer
from tts_trainers.recipe import load_recipe


def with_solutions(number: int, solutions: object) -> GradedSet:
    one = toy_set(number)
    problem = Problem(id=f"p{number}", prompt=f"What is {number}?", metadata={"teacher": solutions})
    return one._replace(problem=problem)


@given(correct=st.integers(1, 5), wrong=st.integers(0, 5), shown=st.integers(1, 6), seed=st.integers(0, 99))
def test_a_target_is_correct_and_not_among_those_shown(correct: int, wrong: int, shown: int, seed: int) -> None:
    one = toy_set(1, correct, wrong)
    recipe = SynthesizerRecipe(shown=shown, seed=seed, targets_per_problem=3)
    if correct + wrong == 1:
        with pytest.raises(ConfigError, match="none of the 1 problems has a correct candidate and others to show"):
            synthesis_rows([one], recipe)
        return
    rows = synthesis_rows([one], recipe)
    assert len(rows) == min(3, correct)
    assert len({row["completion"][0]["content"] for row in rows}) == len(rows)
    for row in rows:
        prompt, target = row["prompt"][0]["content"], row["completion"][0]["content"]
        assert target in {c.text for c in one.of(True)}
        assert target not in prompt
        visible = [c for c in one.candidates if c.text in prompt]
        assert len(visible) == min(shown, correct + wrong - 1)
        assert row["n_correct"] == sum(one.correct[c.index] for c in visible)
        assert row["objective"] == "refine"


def test_what_others_thought_does_not_make_a_copy_of_the_target_another_solution() -> None:
    """A prompt shows what is visible, so a response that differs in its thinking only is the target once more."""
    said = [candidate(i, text, thought) for i, (text, thought) in enumerate([("7", "a"), ("7", "b"), ("3", "c")])]
    one = GradedSet(Problem(id="p", prompt="What?"), "7", tuple(said), (True, True, False))
    (made,) = synthesis_rows([one], SynthesizerRecipe(shown=3))
    assert "Response 1:\n3\n" in made["prompt"][0]["content"]
    assert "Response 2:" not in made["prompt"][0]["content"]


def test_recorded_solutions_are_targets_where_they_are_correct() -> None:
    recorded = ["<think>\nhm\n</think>\n\n\\boxed{7.0}", "\\boxed{3}", " "]
    sets = [with_solutions(1, recorded), with_solutions(2, "\\boxed{7}"), with_solutions(3, None)]
    rows = synthesis_rows(sets, SynthesizerRecipe(targets="teacher", shown=4))
    assert [(row["problem_id"], row["completion"][0]["content"]) for row in rows] == [
        ("p1", recorded[0]),
        ("p2", "\\boxed{7}"),
    ]
    assert all(row["n_correct"] == 2 for row in rows)


def test_solutions_that_look_like_candidate_scores_are_found(tmp_path: Path) -> None:
    """A list as long as the candidates is taken for something recorded about each of them."""
    from tts_trainers.helpers.graded import read_graded

    path = tmp_path / "c.jsonl"
    row = {"problem": "q", "answer": "7", "candidates": ["\\boxed{3}", "x"], "teacher": ["\\boxed{7}", "\\boxed{8}"]}
    path.write_text(json.dumps(row))
    (made,) = synthesis_rows(read_graded(path), SynthesizerRecipe(targets="teacher"))
    assert made["completion"][0]["content"] == "\\boxed{7}"


def test_no_target_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="none of the 1 problems has a correct solution, so there is no target"):
        synthesis_rows([with_solutions(1, ["\\boxed{3}"])], SynthesizerRecipe(targets="teacher"))
    with pytest.raises(ConfigError, match="no problem has a column 'techer' with solutions"):
        synthesis_rows([with_solutions(1, ["\\boxed{7}"])], SynthesizerRecipe(targets="techer"))
    with pytest.raises(ConfigError, match="none of the 2 problems has a correct candidate and others to show"):
        synthesis_rows([toy_set(1, 0, 3), toy_set(2, 1, 0)], SynthesizerRecipe())


@pytest.mark.slow
def test_it_learns_a_synthesis_and_is_measured_on_held_out_problems(tmp_path: Path) -> None:
    """Every answer is 7: what is to be learned is the form, and the rest follows."""
    sets = [
        GradedSet(
            Problem(id=f"p{n}", prompt=f"What is {n}?"), "7",
            (candidate(0, "\\boxed{7}"), candidate(1, f"\\boxed{{{n + 10}}}")), (True, False),
        )
        for n in range(24)
    ]  # fmt: skip
    recipe = SynthesizerRecipe(
        shown=1, max_tokens=12,
        optimisation=HelperOptimisation(steps=100, batch=8, learning_rate=1e-2, weight_decay=0, warmup=2),
    )  # fmt: skip
    report = train_synthesizer(
        llama(), tokenizer(), synthesis_rows(sets[:16], recipe), recipe, tmp_path, held_out=sets[16:]
    )
    assert report.fitted.rows == 16
    assert report.answers is not None
    assert report.answers.accuracy.mean > 0.9
    assert report.answers.mean_candidate.problems == 8


def test_the_command(tmp_path: Path) -> None:
    llama(positions=1024).save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    candidates = write_candidates(tmp_path / "c.jsonl", [toy_set(n) for n in range(10)])
    changes = [f"--set={change}" for change in ("optimisation.steps=2", "optimisation.batch=8", "max_tokens=8")]
    result = run_train("synthesizer", candidates, "--model", tmp_path / "base", "--out", tmp_path / "out", *changes)
    assert result.exit_code == 0, result.stderr
    assert "18 solutions learned from, 0 left out as too long" in result.stderr
    assert "held-out problems solved: " in result.stderr
    assert f"--synthesizer hf:{tmp_path / 'out'}" in result.stderr
    assert load_recipe("synthesizer-small", SynthesizerRecipe).shown == 4
