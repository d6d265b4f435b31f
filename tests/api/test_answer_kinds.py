"""One word for prompt, extractor, equality, grader; functions in the place of models; a system prompt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tts

TABLE = {"question": "Which is the largest?", "choices": ["a cat", "a whale", "an ant"]}


def problem_file(folder: Path, *rows: object) -> Path:
    file = folder / "problems.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize("answer", [1, "1", "B", "(b)".upper(), "a whale"])
def test_a_multiple_choice_has_its_options_in_the_prompt_and_a_letter_for_gold(tmp_path: Path, answer: object) -> None:
    prompts: list[str] = []

    def model(prompt: str) -> str:
        prompts.append(prompt)
        return r"The whale: \boxed{B}"

    file = problem_file(tmp_path, {**TABLE, "answer": answer})
    done = tts.run(file, strategy="majority", k=2, model=model, answers="choice")
    assert "(A) a cat\n(B) a whale\n(C) an ant" in prompts[0]
    assert "letter" in prompts[0]
    assert done.rows[0].outcome.answer == "B"
    assert done.accuracy("majority").mean == 1.0  # type: ignore[union-attr]  # there is a gold answer


def test_a_gold_answer_that_is_no_option_is_refused(tmp_path: Path) -> None:
    file = problem_file(tmp_path, {**TABLE, "answer": 7})
    with pytest.raises(tts.TaskError, match="the answer '7' is none of its 3 options"):
        next(tts.read_examples(file))


def test_json_is_voted_and_graded_by_value(tmp_path: Path) -> None:
    replies = ['{"a": 1, "b": 2}', '{"b": 2.0, "a": 1}', '{"a": 1}']
    file = problem_file(tmp_path, {"problem": "Give it.", "answer": {"b": 2, "a": 1}})
    done = tts.run(file, strategy="majority", k=3, model=lambda _: replies.pop(0), answers="json", concurrency=1)
    assert done[0].decision is not None
    assert done[0].decision.confidence == pytest.approx(2 / 3)
    assert done.accuracy("majority").mean == 1.0  # type: ignore[union-attr]  # there is a gold answer


def test_words_win_a_vote_together(tmp_path: Path) -> None:
    replies = ["Answer: Paris", "Answer: the paris.", "Answer: Rome"]
    file = problem_file(tmp_path, {"problem": "The capital of France?", "answer": "Paris"})
    done = tts.run(file, strategy="majority", k=3, model=lambda _: replies.pop(0), answers="text", concurrency=1)
    assert done[0].answer == "Paris"
    assert done.to_dict()["strategies"]["majority"]["accuracy"]["mean"] == 1.0


def test_a_system_prompt_stands_above_what_the_policy_is_asked() -> None:
    prompts: list[str] = []

    def model(prompt: str) -> str:
        prompts.append(prompt)
        return r"\boxed{4}"

    tts.solve("What is 2+2?", strategy="gsr", k=2, model=model, system="You are terse.")
    assert len(prompts) == 3  # two candidates, a refinement
    assert all(prompt.startswith("You are terse.\n\n") for prompt in prompts)


def test_functions_score_and_judge() -> None:
    replies = [r"\boxed{1}", r"\boxed{22}"]
    best = tts.solve(
        "A number?",
        strategy="best_of_n",
        k=2,
        model=lambda _: replies.pop(0),
        scorer=lambda _, text: len(text),
        concurrency=1,
    )
    assert best.answer == "22"
    judged = tts.solve(
        "A number?",
        strategy="knockout",
        k=2,
        model=lambda prompt: rf"\boxed{{{len(prompt)}}}",
        judge=lambda problem, a, b: "a",
    )
    assert judged.answer is not None


def test_a_file_has_the_model(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def reply(prompt):\n    return r'\\boxed{%d}' % len(prompt)\n")
    said = tts.solve("What?", strategy="first", k=1, model=f"{file}:reply", store=tmp_path / "s.db")
    assert said.answer is not None
    again = tts.solve("What?", strategy="first", k=1, model=f"{file}:reply", store=tmp_path / "s.db")
    assert again.candidates == said.candidates
    file.write_text("def reply(prompt):\n    return r'\\boxed{7}'\n")
    other = tts.solve("What?", strategy="first", k=1, model=f"{file}:reply", store=tmp_path / "s.db")
    assert other.answer == "7", "a function that changed is another model"


def test_a_model_that_returns_no_text_is_a_sentence() -> None:
    with pytest.raises(tts.TTSError, match="returned a int; it must return a text"):
        tts.solve("What?", strategy="first", k=1, model=lambda _: 5)
