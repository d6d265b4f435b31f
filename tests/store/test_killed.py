"""`kill -9` during sampling and during refinement: the same command again asks only for what is missing."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killed_run.py")


def start(store: Path, log: Path, delay: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(store), str(log), str(delay)], stdout=subprocess.PIPE, text=True
    )


def stored(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT count(*) FROM completions").fetchone()[0]
    except sqlite3.OperationalError:
        return 0  # the file is there, its tables are not yet


@pytest.mark.parametrize(("how", "wait_for"), [(signal.SIGKILL, 5), (signal.SIGKILL, 60), (signal.SIGINT, 60)])
def test_resume_asks_exactly_for_what_is_missing(tmp_path: Path, how: signal.Signals, wait_for: int) -> None:
    store, log = tmp_path / "s.db", tmp_path / "asked.txt"
    first = start(store, log, 0.01)
    until = time.monotonic() + 60
    while stored(store) < wait_for and first.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    first.send_signal(how)
    reported = first.communicate(timeout=60)[0].split()
    assert first.returncode != 0
    kept = stored(store)
    assert wait_for <= kept < 150
    assert kept >= 5 * len(reported), "what was reported is in the store"
    log.write_text("")
    second = start(store, log, 0.0)
    output = second.communicate(timeout=60)[0]
    assert "accuracy 1.0" in output
    asked = Counter(log.read_text().splitlines())
    assert set(asked.values()) == {1}, "nothing is asked for twice"
    assert sum(asked.values()) == 150 - kept
    assert stored(store) == 150
