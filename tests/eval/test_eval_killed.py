"""`tts eval` killed at random points and started again: the same report, byte for byte."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killed_eval.py")
STRATEGIES = "first,majority,best_of_n,weighted_majority,knockout,gsr"
REPORT = ("report.md", "report.json", "results.jsonl")
RESULTS = 6 * 2 * 6  # of six strategies on two groups: what every run writes anew, so every run gets at least so far


def run(problems: Path, folder: Path, writes: int = 0, files: int = 0) -> int:
    """The exit status; one that is not expected shows what was said."""
    asked = ["eval", problems, "-o", folder, "-s", STRATEGIES, "-k", 4, "--samples", 8, "--outputs", 2]
    models = ["-m", "slow:m", "--scorer", "slow:m", "--judge", "slow:m"]
    command = [str(part) for part in (sys.executable, SCRIPT, writes, files, *asked, *models)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def stored(folder: Path) -> int:
    with sqlite3.connect(folder / "store.db") as connection:
        return connection.execute("SELECT count(*) FROM completions").fetchone()[0]


def untimed(page: Path) -> str:
    """The page without its section on time."""
    before, _, rest = page.read_text("utf-8").partition('<section id="time">')
    assert "Candidate browser" in rest
    return before + rest.partition("</section>")[2]


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps({"problem": f"{i}?", "answer": str(i % 2)}) + "\n" for i in range(6)))
    return path


@pytest.mark.skipif(os.name != "posix", reason="kills itself with SIGKILL")
@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_same_report_after_kills(tmp_path: Path, problems: Path, kills: int) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert run(problems, whole) == 0
    rng = random.Random(kills)
    for _ in range(kills - 1):
        assert run(problems, resumed, writes=rng.randrange(1, RESULTS)) == -signal.SIGKILL
    assert run(problems, resumed, files=rng.randrange(1, 5)) == -signal.SIGKILL, "all is decided, the report is not"
    assert not (resumed / "timings.json").exists(), "which is written last"
    assert run(problems, resumed) == 0
    for name in REPORT:
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name
    assert untimed(resumed / "report.html") == untimed(whole / "report.html")
    assert stored(resumed) == stored(whole)
    assert json.loads((resumed / "timings.json").read_text())["spent"] == {}, "the last run asked for nothing"


def test_the_report_has_no_timings(tmp_path: Path, problems: Path) -> None:
    assert run(problems, tmp_path / "r") == 0
    assert json.loads((tmp_path / "r" / "timings.json").read_text())["seconds"] > 0
    assert not [name for name in REPORT if "seconds" in (tmp_path / "r" / name).read_text()]
