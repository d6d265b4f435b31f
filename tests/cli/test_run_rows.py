"""`tts run --json`: rows as they are decided, with gold answer and grade."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

import tts

Tts = Callable[..., Result]


def test_rows_have_gold_answer_and_grade(run_tts: Tts, tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"problem": "a?", "answer": "7"}\n{"problem": "b?", "answer": "8"}\n{"problem": "c?"}\n')
    (tmp_path / "mine.py").write_text("def same(gold, answer):\n    return gold == answer\n")
    grader = f"{tmp_path / 'mine.py'}:same"
    done = run_tts("run", file, "-m", "fake:7", "-s", "majority", "-k", "2", "--json", "--grader", grader)
    assert done.exit_code == 0, done.stderr
    rows = {row["problem_id"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert [(row["gold"], row["correct"], row["outcome"]) for _, row in sorted(rows.items())] == [
        ("7", 1.0, "correct"),
        ("8", 0.0, "wrong"),
        (None, None, "ungraded"),
    ]


def test_a_row_is_heard_before_the_next_problem_is_decided() -> None:
    heard: list[tuple[str, int]] = []
    asked: list[str] = []

    def model(prompt: str) -> str:
        asked.append(prompt)
        return r"\boxed{1}"

    done = tts.run(
        [f"{n}?" for n in range(30)],
        strategy="first",
        k=1,
        model=model,
        concurrency=1,
        on_record=lambda row: heard.append((row["problem_id"], len(asked))),
    )
    assert [name for name, _ in heard] == [row["problem_id"] for row in done.records()]
    assert heard[0][1] < 30, "the first row is told while problems are still asked"


def test_a_set_with_columns_of_its_own_is_imported(run_tts: Tts, tmp_path: Path) -> None:
    file = tmp_path / "sets.jsonl"
    file.write_text(json.dumps({"q": "a?", "gold": "7", "texts": ["7", "8"]}) + "\n")
    columns = "problem=q,answer=gold,candidates=texts"
    done = run_tts("store", "import", tmp_path / "s.db", file, "--columns", columns)
    assert done.exit_code == 0, done.stderr
    listed = run_tts("store", "list", tmp_path / "s.db", "--json")
    assert json.loads(listed.stdout)["candidates"] == 2


def test_a_list_of_sets_names_the_model_as_the_call_did(run_tts: Tts, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def reply(prompt):\n    return r'\\boxed{7}'\n")
    model = f"{tmp_path / 'mine.py'}:reply"
    run_tts("solve", "a?", "-m", model, "-s", "first", "-k", "1", "--store", tmp_path / "s.db")
    listed = run_tts("store", "list", tmp_path / "s.db")
    assert "mine.py"[:4] in listed.stdout or str(tmp_path)[:8] in listed.stdout
    key = listed.stdout.splitlines()[1].split()[0]
    assert f"model: {model} (" in run_tts("store", "show", tmp_path / "s.db", key).stdout


def test_a_task_that_is_not_there_is_told_before_a_model_is_loaded(run_tts: Tts) -> None:
    for command in ("run", "sample", "compare"):
        done = run_tts(command, "task:math500", "-m", "fake:1", "--data-dir", "/no/such")
        assert done.exit_code == 2
        assert "has no copy of math500" in done.stderr
        assert "loading" not in done.stderr
