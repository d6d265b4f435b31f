"""The training page's commands for a laptop, one after the other in one folder, and what it says of Python."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_page_runs_from_raw_data_to_a_model_that_refines(tmp_path: Path) -> None:
    (laptop,) = [block for block in _blocks("console") if "data-small --out" in block]
    for line in laptop.splitlines():
        prompt, program, *arguments = shlex.split(line)
        assert (prompt, program) == ("$", "tts")
        _run([sys.executable, "-m", "tts", *arguments], tmp_path)
    (recipe,) = [block for block in _blocks("python") if "load_recipe(" in block]
    (training,) = re.findall(r"`(train_hybrid\(recipe, .*?\))`", PAGE.read_text("utf-8"))
    imports = "from pathlib import Path\nfrom tts_trainers.hybrid.run import train_hybrid\n"
    _run([sys.executable, "-c", f"{imports}{recipe}\n{training}"], tmp_path)
    assert (tmp_path / "runs" / "small" / "tts.json").is_file()
    assert (tmp_path / "runs" / "from-python" / "tts.json").is_file()


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr[-2000:]}"
