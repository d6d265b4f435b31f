"""docs/quickstart.ipynb runs from top to bottom and is committed without outputs."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "quickstart.ipynb"


def test_it_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.execute(notebook, cwd=str(tmp_path), kernel_name="python3", timeout=900)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = {kind for output in outputs for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= shown
    told = [output["text"] for output in outputs if output.get("name") == "stderr"]
    assert not [text for text in told if "ipywidgets" not in text]  # which tqdm would like to have
    assert "selfRef@4" in "".join(str(output.get("data", {})) for output in outputs)
    assert (tmp_path / "quickstart.html").stat().st_size > 50_000


def test_it_is_committed_without_outputs() -> None:
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells), "run .venv/bin/nbstripout on it"


@pytest.mark.parametrize("key", ["kernelspec", "language_info"])
def test_it_names_no_machine(key: str) -> None:
    assert set(nbformat.read(NOTEBOOK, as_version=4).metadata[key]) <= {"display_name", "language", "name"}
