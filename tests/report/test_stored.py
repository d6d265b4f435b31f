from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tts
from tts.cli import main
from tts.report.stored import stored_run

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
