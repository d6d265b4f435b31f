"""What the libraries below us warn about is not for users: no warning, no word of deprecation reaches them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = {
    "solve": 'solve "Compute 12*7+31*4+25*6." --strategy gsr -k 4',
    "every role": "compare task:sums@size=1 -k 2 -s majority,best_of_n,knockout,synthesizer"
    " --scorer hf-reward:miniature/reward --judge generic:hf:miniature/judge --synthesizer hf:miniature/synthesizer",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_prints_no_warning_of_a_library(tmp_path: Path, command: str) -> None:
    shell = f"{sys.executable} -m tts {command}"
    all_warnings = {**os.environ, "PYTHONWARNINGS": "always", "TRANSFORMERS_VERBOSITY": "warning"}
    done = subprocess.run(shell, shell=True, cwd=tmp_path, env=all_warnings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert [line for line in done.stderr.splitlines() if "Warning" in line or "deprecat" in line.lower()] == []


def test_a_script_prints_no_warning_of_a_library(tmp_path: Path) -> None:
    script = 'import tts; print(tts.solve("Compute 12*7+31*4+25*6.", strategy="gsr", k=4).answer)'
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "358"
    assert [line for line in done.stderr.splitlines() if "Warning" in line or "deprecat" in line.lower()] == []
