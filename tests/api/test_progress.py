"""A call shows how far it is on a terminal and in a notebook, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

CALL = (
    "import time, tts\n"
    "def model(prompt):\n"
    "    time.sleep(0.05)\n"
    "    return r'\\boxed{4}'\n"
    "run = tts.run(['What is 2+2?'] * 1 + ['What is 1+3?'], strategy='majority', k=3, model=model, store=None%s)\n"
)


def shown_on_a_terminal(more: str = "") -> str:
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", CALL % more], stderr=follower, env=environment, check=True)
    os.close(follower)
    told = b""
    while True:
        try:
            part = os.read(leader, 1 << 16)
        except OSError:  # all is read, and the other end is closed
            break
        if not part:
            break
        told += part
    os.close(leader)
    return told.decode()


def test_there_is_a_bar_on_a_terminal() -> None:
    told = shown_on_a_terminal()
    assert "decisions" in told
    assert "2/2" in told


def test_there_is_none_where_it_is_not_wanted() -> None:
    assert shown_on_a_terminal(", progress=False") == ""


def test_there_is_none_in_a_pipe_or_file() -> None:
    done = subprocess.run([sys.executable, "-c", CALL % ""], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.timeout(600)  # a kernel is started
def test_there_is_a_line_in_a_notebook(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CALL % "")])
    nbclient.execute(notebook, cwd=str(tmp_path), kernel_name="python3", timeout=500)
    texts = [str(output.get("data", {}).get("text/plain")) for output in notebook.cells[0].outputs]
    assert any(text.startswith("2/2 decisions") for text in texts), notebook.cells[0].outputs
