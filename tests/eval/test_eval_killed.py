"""`tts eval` killed at random points and started again: the same report, byte for byte."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killed_eval.py")
STRATEGIES = "first,majority,best_of_n,weighted_majority,knockout,gsr"
REPORT = ("report.md", "report.json", "results.jsonl")
COMPLETIONS = 6 * 8 + 6 * 2 * 2  # eight candidates of six problems, two refinements of each of two groups


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps({"problem": f"{i}?", "answer": str(i % 2)}) + "\n" for i in range(6)))
    return path


def start(problems: Path, folder: Path, delay: float = 0.0) -> subprocess.Popen[bytes]:
    asked = ["eval", problems, "-o", folder, "-s", STRATEGIES, "-k", 4, "--samples", 8, "--outputs", 2]
    models = ["-m", "slow:m", "--scorer", "slow:m", "--judge", "slow:m"]
    command = [sys.executable, SCRIPT, delay, *asked, *models]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors.decode()


def stored(folder: Path) -> int:
    if not (folder / "store.db").exists():
        return 0
    try:
        with sqlite3.connect(f"file:{folder / 'store.db'}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT count(*) FROM completions").fetchone()[0]
    except sqlite3.OperationalError:
        return 0  # the file is there, its tables are not yet


def killed(process: subprocess.Popen[bytes], folder: Path, completions: int, then: float) -> bool:
    """Kill it `then` seconds after it has stored so many; whether it was still running."""
    until = time.monotonic() + 600
    while stored(folder) < completions and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(then)
    alive = process.poll() is None
    process.kill()
    process.communicate()
    return alive


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_same_report_after_kills(tmp_path: Path, problems: Path, kills: int) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    finished(start(problems, whole))
    rng = random.Random(kills)
    alive = 0
    # The last one comes after the last completion: while it grades or writes.
    points = [*sorted(rng.randrange(COMPLETIONS) for _ in range(kills - 1)), COMPLETIONS]
    for point in points:
        alive += killed(start(problems, resumed, delay=0.03), resumed, point, rng.random() / 20)
    assert alive >= kills - 1, "the last one may have come too late"
    finished(start(problems, resumed))
    for name in REPORT:
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name
    assert stored(resumed) == COMPLETIONS
    assert json.loads((resumed / "timings.json").read_text())["seconds"] > 0


def test_a_second_run_asks_for_nothing_and_says_the_same(tmp_path: Path, problems: Path) -> None:
    finished(start(problems, tmp_path / "r"))
    first = [(tmp_path / "r" / name).read_bytes() for name in REPORT]
    finished(start(problems, tmp_path / "r"))
    assert [(tmp_path / "r" / name).read_bytes() for name in REPORT] == first
    assert json.loads((tmp_path / "r" / "timings.json").read_text())["spent"] == {}
