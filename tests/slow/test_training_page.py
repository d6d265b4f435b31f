"""The training page's commands for a laptop, one after the other in one folder, and then its Python block."""

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
    for line in "".join(_blocks("bash")).splitlines():
        program, *arguments = shlex.split(line)
        assert program == "tts"
        _run([sys.executable, "-m", "tts", *arguments], tmp_path)
    _run([sys.executable, "-c", "".join(_blocks("py"))], tmp_path)
    assert (tmp_path / "runs" / "small" / "tts.json").is_file()
    assert (tmp_path / "runs" / "from-python" / "tts.json").is_file()


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr[-2000:]}"
