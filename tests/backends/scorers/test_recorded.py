"""Recorded reward scores in the form of a published file: 8 candidates, with scores and verdicts in lists beside."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from doubles import sums

import tts

# (gold, answers, scores); the comments are what a calculator says.
ROWS = [
    # One high score for a wrong answer, five good ones for the right answer: 7 sums 5.0 (mean 1.0), 9 has 3.0.
    ("7", "7 7 7 7 7 9 8 8", [0.5, 1.0, 1.5, 1.0, 1.0, 3.0, -1.0, -1.0]),
    # All negative: sums punish the large class of 4 (-6.0) against the single 5 (-2.0); the mean of 4 is -1.5.
    ("4", "4 4 4 4 5 6 6 6", [-1.0, -2.0, -1.5, -1.5, -2.0, -3.0, -3.0, -3.0]),
    # The right answer in three wordings is one class: 1/2 has 1.5 + 1.0 + 1.0 = 3.5 against 3.0 for 2.
    ("1/2", "\\frac12 0.5 \\frac{1}{2} 2 2 3 3 3", [1.5, 1.0, 1.0, 2.0, 1.0, 0.5, 0.5, 0.5]),
    # Two best scores: the lower index, which is wrong; the classes 1 (2.5 + 0.5) and 6 (2.5) do not tie.
    ("6", "1 1 6 2 3 4 5 7", [2.5, 0.5, 2.5, 0, 0, 0, 0, 0]),
]
BEST = [5, 0, 3, 0]  # index of the first highest score
EXPECTED = {
    "best_of_n": ["9", "4", "2", "1"],
    "sum": ["7", "5", "1/2", "1"],
    "mean": ["9", "4", "2", "6"],  # row 2: -1.5 beats -2.0; row 3: 1.5 beats 3.5 / 3; row 4: 2.5 beats 1.5
    "max": ["9", "4", "2", "1"],
    # row 1: e^3 = 20.1 beats e^.5 + 3e + e^1.5 = 14.3; row 2: 0.95 of 1.23 is 4's; row 3: e^2 + e = 10.1 beats 9.9
    "softmax": ["9", "4", "2", "1"],
}


@pytest.fixture
def published(tmp_path: Path) -> str:
    path = tmp_path / "candidates_n8_rm.jsonl"
    with path.open("w") as file:
        for number, (gold, answers, scores) in enumerate(ROWS):
            row = {
                "id": f"row-{number}",
                "problem": f"Problem number {number}?",
                "answer": gold,
                "model": "a model",
                "candidates": [f"Work.\n\nSo it is \\boxed{{{answer}}}." for answer in answers.split()],
                "preds": answers.split(),
                "correct": [answer == gold for answer in answers.split()],
                "rm_scores": scores,
                "level": "Level 2",
            }
            file.write(json.dumps(row) + "\n")
    return str(path)


def strategy(name: str) -> tts.Strategy:
    if name == "best_of_n":
        return tts.strategy(name)
    return tts.strategy("weighted_majority", **({"softmax": True} if name == "softmax" else {"reduce": name}))


@pytest.mark.parametrize("name", EXPECTED)
def test_decisions_are_those_computed_by_hand(published: str, name: str) -> None:
    table = tts.compare(published, strategies=[strategy(name)], k=8, scorer="recorded:rm_scores")
    results = sorted(table.results, key=lambda result: result.problem.id)
    assert [result.error for result in results] == [None] * 4
    assert re.search(r"really spent in [\d.]+ s: nothing", str(table))
    same = {"\\frac12": "1/2", "0.5": "1/2", "\\frac{1}{2}": "1/2"}
    assert [same.get(str(result.answer), result.answer) for result in results] == EXPECTED[name]
    assert [[value for _, value in result.decision.trace["scores"]] for result in results] == [r[2] for r in ROWS]
    if name == "best_of_n":
        assert [result.decision.chosen for result in results] == BEST


def test_other_lists_beside_the_candidates_are_scores_too_if_they_are_numbers(published: str) -> None:
    table = tts.compare(published, strategies=["best_of_n"], k=8, scorer="recorded:preds")
    assert "has '7' recorded as 'preds'; it must be a number" in str(table.results[0].error)


def test_a_name_that_is_not_recorded_is_said_before_anything_is_spent(published: str, fake) -> None:
    backend = fake()
    sentence = "no 'rewards' is recorded with the candidates of problem 'row-0'; recorded is 'correct', 'preds', 'rm"
    with pytest.raises(tts.ConfigError, match=sentence):
        tts.compare(published, strategies=["gsr", "best_of_n"], k=8, model="fake:m", scorer="recorded:rewards")
    with pytest.raises(tts.ConfigError, match="'recorded:x' scores the candidates of a file; these are yet to be"):
        tts.run(sums(1), strategy="best_of_n", k=2, model="fake:m", scorer="recorded:x")
    assert backend.requests == []


def test_later_problems_without_scores_fail_with_one_sentence_for_all(published: str) -> None:
    path = Path(published)
    first, *others = path.read_text().splitlines()
    without = [json.loads(line) for line in others]
    path.write_text(
        "\n".join([first, *(json.dumps({k: v for k, v in row.items() if k != "rm_scores"}) for row in without)])
    )
    table = tts.compare(published, strategies=["majority", "best_of_n"], k=8, scorer="recorded:rm_scores")
    assert len(table.failed) == 3
    notes = str(table).splitlines()
    (failure,) = [line for line in notes if line.startswith("failed ")]
    sentence = "BackendError: no 'rm_scores' is recorded with the candidates; recorded is 'correct', 'preds'"
    assert failure == f"failed 3×: best_of_n: {sentence}"


STEPS = [[0.5, 0.5], [0.75, 0.125], [0.25], [1.0, 0.5, 0.5]]


def stepped(**more: object) -> list[dict[str, object]]:
    texts = [f"\\boxed{{{number}}}" for number in range(4)]
    return [{"problem": "Which?", "answer": "1", "candidates": texts, **more}]


@pytest.mark.parametrize(
    ("reduce", "best"),
    [("min", "0"), ("max", "3"), ("last", "0"), ("mean", "3"), ("product", "0")],
)
def test_scores_of_steps_become_one_number(reduce: str, best: str) -> None:
    scorer = f"recorded:scores@reduce={reduce}"
    table = tts.compare(stepped(scores=STEPS), strategies=["best_of_n"], k=4, scorer=scorer, grader="numeric")
    assert table.results[0].answer == best


def test_scores_of_steps_are_refused_with_what_to_write() -> None:
    table = tts.compare(
        stepped(scores=STEPS), strategies=["best_of_n"], k=4, scorer="recorded:scores", grader="numeric"
    )
    assert "a score for each of 2 steps recorded as 'scores'" in str(table.results[0].error)
    assert "'recorded:scores@reduce=min'" in str(table.results[0].error)


@pytest.mark.parametrize(
    "more",
    [
        {"scores": [{"rm": {"v": value}} for value in (0.1, 0.9, 0.2, 0.3)]},
        {"scores": {"rm.v": [0.1, 0.9, 0.2, 0.3], "other": [1, 2, 3, 4]}},
        {"scores.rm.v": json.dumps([0.1, 0.9, 0.2, 0.3])},
    ],
    ids=["mappings", "a mapping of lists", "text in a cell"],
)
def test_nested_columns_of_scores(more: dict[str, object]) -> None:
    table = tts.compare(stepped(**more), strategies=["best_of_n"], k=4, scorer="recorded:scores.rm.v", grader="numeric")
    assert table.results[0].answer == "1"
