"""`tts paper` prints every table and figure of the paper on the family that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import tts
from tts.cli import main
from tts_trainers.replica import paper
from tts_trainers.replica.command import paper_table
from tts_trainers.replica.evaluate import Evaluation


def rows(table: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines[2:]}


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
    found = rows(table)
    if name == "table1":
        assert found["self-refinement (GSR)"][2:] == [f"{one:g}" for one in paper.METHODS["gsr"]]
        assert found["majority"][0], "ours is measured"
    elif name in ("table5", "figure5"):
        assert found["self-refinement (GSR)"][-1] == "100 / 97.4 / 89.6 / 60.2 / 5.9"
    else:
        assert "not in our sources" in table, "what is not known to us is said"


def test_arms_that_do_not_ship_have_the_published_numbers_alone(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["paper", "table2", "-o", str(tmp_path), "--groups", "2"], prog_name="tts")
    assert done.exit_code == 0, done.output
    found = rows(done.stdout)
    assert found["hybrid"][0] and found["hybrid"][-2:] == ["37.5", "51.5"]
    assert found["refine"] == ["", "", "", "", "26.4", "45"]


def test_a_folder_without_the_family_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match="no model hybrid-1M in it; give a folder of make replica"):
        paper_table("figure2", tmp_path, family=tmp_path / "nowhere")
