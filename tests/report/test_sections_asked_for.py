"""The sections that are there where they were asked for, and those on confidence and on who chooses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_sets import compared_with

from tts.eval import Comparison
from tts.report import ReportData, Section, report_data, write_report
from tts.report.gather import sections

TOLD: dict[str, Any] = {
    "k": 2,
    "controls": {"own": "the candidates as they are", "other": "those of another problem", "traces": "their thinking"},
    "results": [
        {"control": name, "strategy": "writes", "groups": groups, "accuracy": share, "versus_own": change,
         "versus_majority": None, "followed": share if name == "other" else None}
        for name, groups, share, change in (
            ("own", 8, {"mean": 0.9, "interval": [0.8, 0.95], "problems": 8, "n": 8}, None),
            ("other", 8, {"mean": 0.1, "interval": [0.05, 0.2], "problems": 8, "n": 8},
             {"mean": -0.8, "interval": [-0.9, -0.6], "problems": 8, "n": 8}),
            ("traces", 0, None, None),
        )
    ],
    "sentences": {"writes": ["It follows its candidates, not the problem."], "majority": []},
}  # fmt: skip


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compared_with()


def section(data: ReportData, name: str) -> Section:
    return next(one for one in sections(data) if one.name == name)


def test_controls_are_sentences_a_table_and_a_figure(compared: Comparison) -> None:
    found = section(report_data(compared, controls=TOLD), "controls")
    assert found.text[1] == "writes: It follows its candidates, not the problem."
    (table, _) = found.tables
    assert table.head == ["control", "groups", "accuracy, %", "minus own, points", "follows them, %"]
    assert table.rows == [
        ["own: the candidates as they are", "8", "90.0 (80.0 to 95.0)", "", ""],
        ["other: those of another problem", "8", "10.0 (5.0 to 20.0)", "−80.0 (−90.0 to −60.0)", "10.0 (5.0 to 20.0)"],
    ]
    (figure,) = found.figures
    assert [(one.name, one.points[0].value, one.points[0].low) for one in figure.series] == [("other", -80.0, -90.0)]
    assert "controls" not in [one.name for one in sections(report_data(compared))], "nobody asked"


def test_strata_are_shown_for_each_column_that_was_asked_for(compared: Comparison) -> None:
    compared.by = ("difficulty", "none such")
    try:
        data = report_data(compared)
    finally:
        compared.by = ()
    found = section(data, "strata")
    assert [one.title.partition(",")[0] for one in found.tables] == [
        "Accuracy by difficulty",
        "Gap to majority by difficulty",
        "Accuracy by none such",
    ]
    strata = data.strata[0].strata
    assert [row[0] for row in found.tables[0].rows] == [one.name for one in strata]
    assert len(found.figures[0].series) == sum(len(one.gaps) for one in strata)
    assert "No problem has a column" in found.tables[2].notes[0]


def test_confidence_has_its_figures_and_names_who_tells_none(compared: Comparison) -> None:
    data = report_data(compared)
    found = section(data, "calibration")
    assert "No confidence: first, writes." in found.tables[0].notes
    told = compared.calibration("majority")
    line = next(one for one in found.figures[0].series if one.name == "majority")
    assert [point.at for point in line.points] == [100 * one.confidence for one in told.bins]
    risk = section(data, "selective").figures[0]
    whole = next(one for one in risk.series if one.name == "majority").points[-1]
    assert (whole.at, whole.value) == (100.0, pytest.approx(100 * told.risk.random))
    bias = section(data, "judge-bias")
    assert bias.tables[0].rows[0][:2] == ["best_of_n", "scorer recorded:scores"]
    assert "unknown" in bias.tables[0].rows[0]


def test_all_of_it_is_drawn_and_written(compared: Comparison, tmp_path: Path) -> None:
    page = write_report(compared, tmp_path / "page.html", controls=TOLD).read_text("utf-8")
    assert all(f'id="{name}"' in page for name in ("controls", "calibration", "selective", "judge-bias"))
    assert page.count("<svg") >= 18, "wide and narrow"
    assert "It follows its candidates" in write_report(compared, tmp_path / "page.md", controls=TOLD).read_text("utf-8")
