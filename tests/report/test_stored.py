from __future__ import annotations

import json
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tts
from tts.cli import main
from tts.contracts.strategy import strategy_class
from tts.registry.user_code import user_class, user_function
from tts.report.stored import stored_run
from tts.vocabulary.names import names_from_data

QUESTIONS = [tts.Example(problem=tts.Problem(id=f"p{i}", prompt=f"{i}+1"), answer=str(i + 1)) for i in range(5)]


@pytest.fixture
def store(fake: Any, tmp_path: Path) -> Path:
    """A run of six samples in groups of two, one of them with a prompt of its own."""
    fake()
    tts.sample(QUESTIONS, k=6, model="fake:m", store=tmp_path / "run.db")
    return tmp_path / "run.db"


def compare(store: Path, *strategies: Any, k: int = 2, **settings: Any) -> Any:
    return tts.compare(store, strategies=list(strategies), k=k, model="fake:m", store=store, **settings)


def test_a_stored_run_is_the_comparison_that_was(store: Path) -> None:
    told = compare(store, "first", "majority", tts.strategy("gsr", outputs=2), tts.strategy("gsr", outputs=1))
    again = stored_run(store)
    assert sorted(again.strategies) == sorted(told.strategies)
    assert (again.k, len(again.rows)) == (2, 15)
    for label in told.strategies:
        assert again.accuracy(label) == told.accuracy(label)
        assert again.usage(label) == told.usage(label)
    assert again.curves() == told.curves()
    assert again.by_n_correct("majority") == told.by_n_correct("majority")


def test_prompts_come_from_the_store(store: Path, tmp_path: Path) -> None:
    from tts.report import report_data

    told = compare(store, "first", "gsr")
    with tts.Store(store) as opened:
        shown = report_data(told, store=opened).shown[0].detail
    assert {tuple(place) for call in shown["calls"] for place in call["by"]} == {(0, 1), (1, 1), (2, 1)}
    assert "Candidate Response" in shown["calls"][0]["messages"][0][1]
    assert report_data(told).shown[0].detail["calls"] == []


def test_the_scores_of_a_scorer_come_back(store: Path, helpers: None) -> None:
    told = compare(store, "best_of_n", scorer="fake:m")
    again = stored_run(store)
    assert "BoN@k" in again.curves()
    assert again.curves() == told.curves()


def test_groups_of_two_sizes_are_not_mixed(store: Path) -> None:
    compare(store, "majority")
    compare(store, "majority", k=3)
    with pytest.raises(tts.ConfigError, match=r"groups of 2, 3; say which with k= \(-k\)"):
        stored_run(store)
    assert len(stored_run(store, k=3).rows) == 10
    with pytest.raises(tts.ConfigError, match="none of k=4"):
        stored_run(store, k=4)


def test_groups_that_not_all_have_decided_are_left_out(store: Path, caplog: pytest.LogCaptureFixture) -> None:
    compare(store, "first")
    compare(store, "majority", limit=3)
    with caplog.at_level(logging.WARNING):
        again = stored_run(store)
    assert len(again.rows) == 9
    assert "6 groups that not every strategy has decided" in caplog.text


def test_a_store_without_decisions_or_none_at_all(store: Path, tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match="holds no decisions"):
        stored_run(store)
    with pytest.raises(tts.ConfigError, match="there is no store"):
        stored_run(tmp_path / "none.db")


def test_tts_report(store: Path, tmp_path: Path) -> None:
    compare(store, "first", "majority")
    out = tmp_path / "r.md"
    done = CliRunner().invoke(main, ["report", str(store), "-o", str(out), "--title", "Mine"])
    assert done.exit_code == 0, done.stderr
    assert out.read_text().startswith("# Mine\n")
    refused = CliRunner().invoke(main, ["report", str(store), "-o", str(tmp_path / "r.doc")], prog_name="tts")
    assert refused.exit_code == 2
    assert "cannot write a report" in refused.stderr


def test_compare_writes_one_too(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "r.md"
    done = CliRunner().invoke(main, ["compare", str(store), "-s", "first,majority", "-k", "2", "--report", str(target)])
    assert done.exit_code == 0, done.stderr
    assert "## Strategies" in target.read_text()
    refused = CliRunner().invoke(main, ["compare", str(store), "--report", "r.doc"], prog_name="tts")
    assert "cannot write a report to 'r.doc'" in refused.stderr


HOSTILE = "import pathlib\npathlib.Path({mark!r}).touch()\nclass X: pass\n"


def rename(store: Path, name: str, /, **parameters: Any) -> None:
    """Let the store say that its last stored strategy was another one."""
    with sqlite3.connect(store) as opened:
        for key, text in opened.execute("SELECT key, result FROM results WHERE strategy='majority'").fetchall():
            row = json.loads(text)
            row["provenance"] |= {"strategy": name, "parameters": parameters}
            opened.execute(
                "UPDATE results SET strategy=?, result=?, checksum=NULL WHERE key=?", (name, json.dumps(row), key)
            )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("{file}:X", {}),
        ("evil_module:X", {}),
        ("cascade", {"cheap": "{file}:X"}),
        ("cascade", {"cheap": {"name": "{file}:X"}}),
        ("cascade", {"dear": {"name": "cascade", "cheap": "evil_module:X"}}),
        ("majority", {"name": "{file}:X"}),
        ("not_installed", {"curve": 1, "name": "x", "weight": 2}),
    ],
)
def test_a_name_in_a_store_runs_nothing_and_is_shown(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    parameters: dict[str, Any],
) -> None:
    compare(store, "first", "majority")
    mark, file = tmp_path / "ran", tmp_path / "evil_module.py"
    file.write_text(HOSTILE.format(mark=str(mark)))
    monkeypatch.syspath_prepend(tmp_path)
    named = name.format(file=file)
    rename(store, named, **json.loads(json.dumps(parameters).replace("{file}", str(file))))
    with caplog.at_level(logging.WARNING):
        again = stored_run(store)
    assert not mark.exists()
    assert again.strategies == ["first", named]
    assert len(again.rows) == 15
    assert again.accuracy(named) is not None
    assert f"strategy {named!r} is shown by its name" in caplog.text


@pytest.mark.parametrize(
    ("strategy", "field"), [("gsr", "template"), ("self_refine", "feedback_template"), ("usc", "template")]
)
def test_a_template_that_a_store_names_is_not_read(
    store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, strategy: str, field: str
) -> None:
    template = tmp_path / "secret.txt"
    template.write_text("not of this store's sender")
    compare(store, "first", "majority")
    rename(store, strategy, **{field: str(template)})
    with caplog.at_level(logging.WARNING):
        assert stored_run(store).strategies == ["first", strategy]
    assert "comes from data" in caplog.text


def test_what_imports_or_reads_refuses_names_of_data(tmp_path: Path) -> None:
    mark, file = tmp_path / "ran", tmp_path / "evil.py"
    file.write_text(HOSTILE.format(mark=str(mark)))
    entrances: list[Any] = [tts.strategy, tts.grader, strategy_class, user_class, user_function]
    for entrance in entrances:
        with names_from_data(), pytest.raises(tts.ConfigError, match="comes from data"):
            entrance(f"{file}:X")
    with names_from_data(), pytest.raises(tts.ConfigError, match="comes from data"):
        tts.grader(tts.task("sums", grader=f"{file}:X").grader)
    with names_from_data():
        assert tts.strategy("gsr", template="refine").name == "gsr"
        assert tts.strategy("cascade", cheap="majority").name == "cascade"
    assert not mark.exists()


def test_tts_report_shows_a_strategy_that_is_not_here(store: Path, tmp_path: Path) -> None:
    compare(store, "first", "majority")
    rename(store, "elsewhere", weight=2)
    out = tmp_path / "r.md"
    done = CliRunner().invoke(main, ["report", str(store), "-o", str(out)])
    assert done.exit_code == 0, done.stderr
    assert "elsewhere" in out.read_text()
    assert "strategy 'elsewhere' is shown by its name" in done.stderr


def test_answers_that_are_no_mathematics_are_read_as_the_run_read_them(tmp_path: Path) -> None:
    store = tmp_path / "json.db"

    def writes(prompt: str) -> str:
        return '```json\n{"b": 1, "a": [2]}\n```' if prompt else ""

    rows = [{"problem": "Which?", "answer": '{"a": [2], "b": 1.0}'}]
    done = tts.compare(rows, strategies=["majority"], k=2, model=writes, answers="json", store=store)
    again = stored_run(store, answers="json")
    assert again.accuracy("majority").mean == done.accuracy("majority").mean == 1
    assert again.rows[0].candidates == (True, True)
    assert again.answers_are == "json"
