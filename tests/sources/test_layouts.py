"""Every layout of a user's responses is read right or refused with a sentence, and no toy answers in their place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from layouts import ASKED, LAYOUTS, WIDE, Layout, lines, long, outcome

import tts
from tts.cli import main


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_is_read_right_or_refused(layout: Layout, tmp_path: Path) -> None:
    told, loaded = outcome(layout, tmp_path)
    assert loaded == []
    if isinstance(layout.becomes, str):
        assert isinstance(told, str)
        assert layout.becomes in told
        assert "\n" not in told
    else:
        assert told == layout.becomes


def test_there_are_more_than_twenty_layouts() -> None:
    assert len(LAYOUTS) > 20
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)


@pytest.mark.parametrize("command", ["run", "compare", "eval", "sample", "controls"])
def test_no_command_answers_a_file_with_the_toy(command: str, tmp_path: Path) -> None:
    path = lines("mine.jsonl", [{"problem": text} for text in ASKED])(tmp_path)
    more = ["-o", str(tmp_path / "out")] if command == "eval" else []
    done = CliRunner().invoke(main, [command, str(path), *more], prog_name="tts")
    assert done.exit_code == 2
    assert "the built-in model only knows sums; name one with --model" in done.stderr
    assert "loading" not in done.stderr


def test_a_file_of_sums_is_the_user_s_too(tmp_path: Path) -> None:
    path = lines("mine.jsonl", [{"problem": "Compute 12*7+31*4."}])(tmp_path)
    with pytest.raises(tts.ConfigError, match="it is to answer mine.jsonl"):
        tts.run(path)


@pytest.mark.parametrize("text", ["What is the capital of France?", "What is 2+3?", "12*7 is what?", "p.jsonl.gz"])
def test_a_text_that_is_no_sum_of_products_is_not_answered(text: str) -> None:
    done = CliRunner().invoke(main, ["solve", text], prog_name="tts")
    assert done.exit_code == 2
    assert "error: the built-in model only knows sums; name one with --model" in done.stderr
    assert "loading" not in done.stderr
    with pytest.raises(tts.ConfigError, match="only knows sums"):
        tts.run(text)


def test_another_task_needs_a_model() -> None:
    with pytest.raises(tts.ConfigError, match="it is to answer the problems of 'math500'"):
        tts.run("task:math500")


def test_run_decides_on_candidates(tmp_path: Path) -> None:
    found = tts.run(lines("a.jsonl", WIDE)(tmp_path), strategy="first", k=2, grader="numeric")
    assert [result.answer for result in found] == ["2", "5"]
    with pytest.raises(tts.MissingRoleError, match="'gsr' needs a policy"):
        tts.run(WIDE, strategy="gsr", k=2)


def test_sample_says_that_there_are_candidates(tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match=r"a\.jsonl holds candidates already"):
        tts.sample(lines("a.jsonl", WIDE)(tmp_path), k=2)


def test_a_broken_line_is_told_before_a_missing_model(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(WIDE[0]) + "\n{oops\n")
    with pytest.raises(tts.TaskError, match="line 2: not JSON"):
        tts.compare(path, strategies=["gsr"], model="vllm:nowhere", k=2)
    path.write_text('{"problem": "a"}\n{oops\n')
    with pytest.raises(tts.TaskError, match="line 2: not JSON"):
        tts.run(path, strategy="gsr", model="vllm:nowhere", k=2)


def test_what_was_understood_is_told_before_anything_is_spent(tmp_path: Path) -> None:
    rows = [row | {"is_correct": place % 2 == 0} for place, row in enumerate(long(answer="gold"))]
    path = lines("other.jsonl", rows)(tmp_path)
    done = CliRunner().invoke(main, ["compare", str(path), "-s", "majority", "-k", "2", "--grader", "numeric"])
    assert done.exit_code == 0
    first, second, own, *_ = done.stderr.splitlines()
    assert first == (
        "other.jsonl: 2 problems × 2 candidates (rows grouped by problem, candidates: column response), gold: column "
        "gold, answers: numeric, model: none needed"
    )
    assert second == "4 rows read, 0 dropped: 2 sets, 4 candidates, 4 with an answer, tokens known of none"
    told = "agree with ours in 50 % of 4; 1 right by the file alone, 1 right by us alone"
    assert own == f"the file's own verdicts (is_correct) {told}"


def test_what_rows_say_of_each_response_is_kept() -> None:
    rows = [row | {"score": number / 10, "level": "easy"} for number, row in enumerate(long())]
    found = tts.compare(rows, strategies=["best_of_n"], k=2, scorer="recorded:score", grader="numeric")
    assert [result.answer for result in found.results] == ["3", "4"]
    assert found.rows[0].outcome.problem.metadata["level"] == "easy"


def test_ids_shared_by_rows_are_those_of_problems() -> None:
    rows = [row | {"id": f"q{number // 2}"} for number, row in enumerate(long())]
    found = tts.compare(rows, strategies=["first"], k=2, grader="numeric")
    assert [result.problem.id for result in found.results] == ["q0", "q1"]
