"""`tts paper` prints every table and figure of the paper on the family that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import tts
from tts.cli import main
from tts_trainers.replica.command import paper_table
from tts_trainers.replica.evaluate import Evaluation


def rows(table: str) -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines() if line.startswith("|")]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    paper_table("table1", folder, groups=2)
    return folder


@pytest.mark.parametrize("name", ["table1", "table4", "table5", "figure5", "figure8"])
def test_one_measurement_gives_five_of_them(out: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evaluation, "methods", lambda _self, folder: asked.append(folder))
    asked: list[Path] = []
    table = paper_table(name, out, groups=2)
    assert f"{name[:-1].capitalize()} {name[-1]}" in table.splitlines()[0]
    assert asked == [out / "methods-2"]
    found = [row for row in rows(table) if any("family" in cell for cell in row.values())]
    assert found, "ours is measured"
    if name == "table1":
        cost = next(row for row in found if row["method"].startswith("maj at the cost of gsr"))
        assert "(k = " in cost["sums"] and "unknown" not in cost["sums"], "enough is sampled for equal cost"
        assert not any(row["AIME24"] for row in found)


def test_arms_that_do_not_ship_have_the_published_numbers_alone(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["paper", "table2", "-o", str(tmp_path), "--groups", "2"], prog_name="tts")
    assert done.exit_code == 0, done.output
    found = [row for row in rows(done.stdout) if row["of"] == "ours"]
    assert [row["trained on"] for row in found] == ["base", "hybrid"]
    assert all(row["sums, selfRef@k"] for row in found)


def test_a_folder_without_the_family_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match="no model hybrid-1M in it; give a folder of make replica"):
        paper_table("figure2", tmp_path, family=tmp_path / "nowhere")
