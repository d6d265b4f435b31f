"""Several runs in one report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doubles import sums

import tts
from tts.cli import main
from tts.report._words import estimate
from tts.report.runs import read_runs, runs_document


@pytest.fixture
def three(fake: Any, tmp_path: Path) -> list[Path]:
    """A store, a folder of `tts eval` and a summary, all of them of majority and gsr."""
    fake()
    strategies = ["majority", "gsr"]
    tts.compare(sums(8), strategies=strategies, k=2, model="fake:small", store=tmp_path / "small.db")
    evaluated = {"n": 4, "k": 2, "strategies": strategies, "report": None}
    tts.eval.evaluate(sums(8), tmp_path / "middle", model="fake:middle", **evaluated)
    tts.compare(sums(9, 20), strategies=strategies, k=2, model="fake:large").save(tmp_path / "large.json")
    return [tmp_path / "small.db", tmp_path / "middle", tmp_path / "large.json"]


def test_gaps_of_stores_folders_and_summaries_stand_side_by_side(three: list[Path], fake: Any) -> None:
    runs = read_runs(three)
    assert [(run.name, run.problems, run.k) for run in runs] == [("small", 8, 2), ("middle", 8, 2), ("large", 9, 2)]
    assert [run.model for run in runs] == ["fake:small (fake)", "fake:middle (fake)", "fake:large (fake)"]
    fake()
    again = tts.compare(sums(9, 20), strategies=["majority", "gsr"], k=2, model="fake:large")
    assert runs[2].gap == {"majority": None, "gsr": again.refinement_gap("gsr")}
    assert runs[2].generated["gsr"] == again.usage("gsr").generated_tokens / 9
    made = runs_document(runs)
    found = {one.name: one for one in made.sections}
    assert list(found) == ["summary", "gaps", "accuracy", "tokens", "made"]
    assert [row[0] for row in found["gaps"].tables[0].rows] == ["small", "middle", "large"]
    assert found["gaps"].tables[0].rows[2][2] == estimate(again.refinement_gap("gsr"), signed=True)
    (series,) = found["gaps"].figures[0].series
    assert [point.at for point in series.points] == ["small", "middle", "large"]
    assert series.points[2].value == 100 * again.refinement_gap("gsr").mean
    assert "of 3 runs" in found["summary"].text[1] and "differ in problems" in found["summary"].text[2]
    alone = runs_document([runs[2], runs[2]._replace(name="voted", gap={})]).sections[0].text
    shown = estimate(runs[2].gap["gsr"], signed=True)
    assert alone[1] == f"gsr against the majority vote: {shown} points, in large alone."


def test_the_command_writes_one_page_without_a_candidate_browser(three: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "runs.html"
    done = CliRunner().invoke(main, ["report", *map(str, three), "-o", str(page), "--title", "Three <runs>"])
    assert done.exit_code == 0, done.output
    text = page.read_text("utf-8")
    assert "<title>Three &lt;runs&gt;</title>" in text and "3 runs" in text
    assert "Candidate browser" not in text and "application/json" not in text
    assert re.search(r'<button type="button" id="theme"', text) and "function theme()" in text
    done = CliRunner().invoke(main, ["report", *map(str, three), "-o", str(tmp_path / "all")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "all" / "data" / "gaps.csv").read_text().count("gsr,") == 3


def test_what_is_no_run_is_one_sentence(three: list[Path], tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text('{"k": 4}')
    for odd, reason in ((tmp_path / "odd.json", "is no summary of a comparison"), (tmp_path / "no", "that is there")):
        with pytest.raises(tts.ConfigError, match=reason):
            read_runs([three[0], odd])
    done = CliRunner().invoke(main, ["report", *map(str, three), "--check-grades"])
    assert done.exit_code == 2
    assert "for the report of one run" in done.output
