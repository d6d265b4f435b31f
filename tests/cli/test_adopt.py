"""`tts adopt`, and `--explain` of other commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import tts

Tts = Callable[..., Result]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """One response in each row, all columns of names that nobody knows."""
    rows = [
        {
            "q_text": f"What is {a} and {a}, dear reader?",
            "gen": f"It must be that it is {2 * a + wrong}",
            "lab": str(2 * a),
        }
        for a in (2, 3)
        for wrong in (0, 1)
    ]
    return write(tmp_path / "odd.jsonl", rows)


def test_columns_are_guessed_shown_and_written(run_tts: Tts, odd: Path, tmp_path: Path) -> None:
    out = tmp_path / "sets.jsonl"
    done = run_tts("adopt", odd, "-o", out)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    guessed, understood, audit, *shown = done.stderr.splitlines()
    assert guessed == "problem: column 'q_text', candidates: column 'gen', answer: column 'lab'"
    assert understood.startswith(
        "odd.jsonl: 2 problems × 2 candidates (rows grouped by q_text, candidates: column gen)"
    )
    assert "4 rows read, 0 dropped" in audit
    assert shown[:4] == [
        "problem p000001: What is 2 and 2, dear reader?",
        "  gold: '4'",
        "  candidate 0: It must be that it is 4 → answer '4'",
        "  candidate 1: It must be that it is 5 → answer '5'",
    ]
    sets = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(one["problem"], one["answer"], len(one["candidates"])) for one in sets] == [
        ("What is 2 and 2, dear reader?", "4", 2),
        ("What is 3 and 3, dear reader?", "6", 2),
    ]
    compared = run_tts("compare", out, "-s", "first", "-k", 2, "--grader", "numeric", "--json")
    assert json.loads(compared.stdout)["strategies"]["first"]["accuracy"]["mean"] == 1.0


def test_sets_go_to_stdout_and_a_guess_is_put_right(run_tts: Tts, odd: Path) -> None:
    done = run_tts("adopt", odd, "--columns", "problem=lab,candidates=gen,answer=q_text")
    assert [json.loads(line)["problem"] for line in done.stdout.splitlines()] == ["4", "6"]


def test_lists_and_numbered_columns_are_guessed(run_tts: Tts, tmp_path: Path) -> None:
    lists = [{"riddle": "What is two and two?", "label": 4, "tries": ["It is 4", "It is 5"]}]
    numbered = [{"riddle": "What is two and two?", "label": 4, "output_1": "It is 4", "output_2": "It is 5"}]
    for rows in (lists, numbered):
        done = run_tts("adopt", write(tmp_path / "a.jsonl", rows))
        [found] = map(json.loads, done.stdout.splitlines())
        assert (found["problem"], found["answer"]) == ("What is two and two?", "4")
        assert [one["answer"] for one in found["candidates"]] == ["4", "5"]


def test_files_of_other_tools_are_adopted_and_joined(run_tts: Tts, tmp_path: Path) -> None:
    rows = [{"generation": "It is 4", "expected_answer": "4"}, {"generation": "It is 6", "expected_answer": "9"}]
    theirs = write(tmp_path / "output-rs0.jsonl", rows)
    assert "no column 'problem'" in run_tts("adopt", theirs).stderr
    problems = write(tmp_path / "p.jsonl", [{"problem": "2+2?"}, {"problem": "3*3?"}])
    done = run_tts("adopt", theirs, "--join", problems)
    assert [json.loads(line)["problem"] for line in done.stdout.splitlines()] == ["2+2?", "3*3?"]
    store = tmp_path / "s.db"
    assert "2 candidate sets imported" in run_tts("store", "import", store, theirs, "--join", problems).stderr


def test_a_table_without_responses_says_what_it_has(run_tts: Tts, tmp_path: Path) -> None:
    done = run_tts("adopt", write(tmp_path / "a.jsonl", [{"n": 1, "m": 2}]))
    assert done.exit_code == 2
    assert (
        "no column looks like the problem or the candidates; it has 'n', 'm'; say --columns problem=NAME" in done.stderr
    )


def test_explain_shows_the_prompt_that_the_strategy_would_send(run_tts: Tts, candidates: Path) -> None:
    done = run_tts("compare", candidates, "-s", "gsr,majority", "-k", 3, "-m", "fake:right", "--explain")
    assert done.exit_code == 0, done.stderr
    told = done.stdout
    assert "The first prompt, before the model's chat template:\n[user]\n" in told
    assert "Candidate Response 3" in told
    assert "  answer '2' by the rule 'box', in: \\boxed{2}" in told
    assert "Estimate for 2 problems like the first: calls: 2 by the policy; about" in told
    assert "loading" not in done.stderr


@pytest.mark.parametrize("command", ["run", "sample"])
def test_explain_of_problems_counts_candidates(run_tts: Tts, problems: Path, command: str) -> None:
    done = run_tts(command, problems, "-m", "fake:right", "-k", 5, "--max-tokens", 100, "--explain")
    assert done.exit_code == 0, done.stderr
    calls = {"run": 18, "sample": 15}[command]  # three problems; gsr asks once more for each
    assert f"calls: {calls} by the policy, each of at most 100 new tokens" in done.stdout
    assert "What is 3+0?" in done.stdout
    assert "No responses yet" in done.stdout


def test_explain_of_a_protocol_is_of_its_strategies(run_tts: Tts, problems: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = run_tts("eval", problems, "-m", "fake:right", "-o", folder, "--samples", 8, "--explain")
    assert "calls: 48 by the policy" in done.stdout, done.stderr  # 3 × (8 candidates + 2 groups × 4 outputs)
    assert not folder.exists()


def test_explain_refuses_what_the_call_would(run_tts: Tts, problems: Path) -> None:
    done = run_tts("run", problems, "--explain")
    assert done.exit_code == 2
    assert "the built-in model only knows sums" in done.stderr


def test_problems_that_occur_again_are_offered(run_tts: Tts, odd: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in odd.read_text().splitlines()]
    path = write(tmp_path / "again.jsonl", [{"problem": row["q_text"], "code": row["gen"]} for row in rows])
    done = run_tts("sample", path, "-m", "fake:right", "-k", 1)
    assert "the column 'code' holds 2 texts of each problem: candidates? then --columns candidates=code" in done.stderr
    with pytest.raises(tts.ConfigError, match="candidates=code"):
        tts.run(path)
