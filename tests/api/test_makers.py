"""A candidate file's own `model` stands wherever artefacts name models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tts
from tts.cli import main
from tts.eval import gap_table, read_gaps
from tts.report import report_data
from tts.report.stored import stored_run

ROWS: list[dict[str, Any]] = [
    {"problem": "1+1?", "answer": "2", "model": "gpt-x", "candidates": ["\\boxed{2}", "\\boxed{3}"]},
    {"problem": "1+2?", "answer": "3", "model": "gpt-x", "candidates": ["\\boxed{3}", "\\boxed{3}"]},
]
EACH: list[dict[str, Any]] = [
    {"problem": "1+1?", "answer": "2", "models": ["a", "b"], "candidates": ["\\boxed{2}", "\\boxed{3}"]}
]


def writes(prompt: str) -> str:
    """A model that says the same to everything."""
    return "\\boxed{2}" if prompt else ""


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_a_comparison_names_it() -> None:
    found = tts.compare(ROWS, strategies=["majority"], k=2)
    assert found.models == {"candidates": "gpt-x"}
    assert found.to_dict()["models"] == {"candidates": "gpt-x"}
    assert found.results[0].provenance.shown == {"candidates": "gpt-x"}
    each = tts.compare(EACH, strategies=["majority"], k=2)
    assert each.models == {"candidates": "a, b"}
    nobody = [{key: value for key, value in ROWS[0].items() if key != "model"}]
    assert tts.compare(nobody, strategies=["first"], k=2).models == {}


def test_a_model_that_refines_is_another_than_who_made_the_candidates() -> None:
    found = tts.compare(ROWS[:1], strategies=["gsr"], k=2, model=writes)
    assert found.models["candidates"] == "gpt-x"
    assert "writes" in found.models["policy"]


def test_what_is_sampled_names_it_once() -> None:
    assert list(tts.compare("1+1?", strategies=["first"], k=1, model=writes).models) == ["policy"]
    samples = tts.sample("1+1?", k=1, model=writes)
    assert list(tts.compare(samples, strategies=["gsr"], k=1).models) == ["policy"]


def test_the_page_names_it() -> None:
    data = report_data(tts.compare(EACH, strategies=["majority"], k=2))
    assert data.models == {"candidates": "a, b"}
    assert [one["model"] for one in data.shown[0].detail["groups"][0]["candidates"]] == ["a", "b"]


def test_gaps_and_a_protocol_name_it(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    tts.eval.evaluate(
        ROWS, tmp_path / "run", strategies=["majority", "gsr"], k=2, n=2, model=writes, outputs=1, report=None
    )
    told = json.loads((tmp_path / "run/report.json").read_text("utf-8"))["protocol"]["named"]
    assert told["candidates"] == "gpt-x"
    only = tts.compare(ROWS, strategies=["majority", "first"], k=2)
    only.save(tmp_path / "own.json")
    assert "gpt-x" in str(gap_table(read_gaps([tmp_path / "own.json"], "first"), "first"))


@pytest.mark.parametrize(("rows", "shown"), [(ROWS, "gpt-x"), (EACH, "a, b")])
def test_a_store_names_it(tmp_path: Path, rows: list[dict[str, Any]], shown: str) -> None:
    runner, path, place = CliRunner(), written(tmp_path, rows), tmp_path / "s.db"
    done = runner.invoke(main, ["store", "import", str(path), str(place)])
    if done.exit_code:
        done = runner.invoke(main, ["store", "import", str(place), str(path)])
    assert done.exit_code == 0, done.output
    assert shown in runner.invoke(main, ["store", "list", str(place)]).stdout
    with tts.Store(place, read_only=True) as store:
        key = next(store.sets()).key
    told = runner.invoke(main, ["store", "show", str(place), key]).stdout
    assert f"model: {shown}\n" in told
    assert ("--- candidate 1 of b: answer 3" in told) == (rows is EACH)
    tts.compare(place, strategies=["majority"], k=2, store=place)
    recalled = stored_run(place)  # one run, whoever made the candidates of which row
    assert len(recalled.rows) == len(rows)
    assert recalled.models == {"candidates": shown}


def test_rows_of_several_models_are_one_run(tmp_path: Path) -> None:
    place = tmp_path / "s.db"
    with tts.Store(place):
        pass
    path = written(tmp_path, [row | {"models": [name, name]} for row, name in zip(ROWS, "ab", strict=True)])
    assert CliRunner().invoke(main, ["store", "import", str(place), str(path)]).exit_code == 0
    tts.compare(place, strategies=["majority"], k=2, store=place)
    recalled = stored_run(place)
    assert len(recalled.rows) == 2
    assert set(recalled.models["candidates"].split(", ")) == {"a", "b"}  # in the order of their keys


def test_the_line_of_what_was_understood_names_it() -> None:
    told: list[str] = []
    tts.compare(ROWS, strategies=["first"], k=2, listeners=[lambda event: told.append(event.message)])
    assert told[0].startswith("a list: 2 problems × 2 candidates of gpt-x, gold:")
