"""A test that hangs fails, says where, and holds up no other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import left, psutil

ROOT = Path(__file__).parents[1]
HANGING = """
import asyncio, subprocess, sys, threading, time

def sleeps_in_a_thread():
    time.sleep(600)

def test_sleep():
    time.sleep(600)

def test_await():
    async def waits_for_nobody():
        await asyncio.Event().wait()
    asyncio.run(waits_for_nobody())

def test_join():
    thread = threading.Thread(target=sleeps_in_a_thread, daemon=True)
    thread.start()
    thread.join()

def test_process(tmp_path_factory):
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(f"pid={program.pid}")
    program.wait()

def test_after():
    pass
"""
STUBBORN = """
import time

def test_swallows():
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass

def test_after():
    pass
"""


def run(folder: Path, text: str, *options: str) -> tuple[str, float]:
    """What pytest says of a file of tests under the settings of this suite, but for the limit, and its seconds."""
    (folder / "test_hanging.py").write_text(text)
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), "-p", "time_limits"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *settings, "--timeout=2", *options, str(folder)],
        cwd=folder, env={**environment, "PYTHONPATH": str(ROOT / "tests")}, timeout=200,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return done.stdout, time.monotonic() - began


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_hanging_test_fails_with_all_stacks_and_the_others_run(workers: str, tmp_path: Path) -> None:
    said, seconds = run(tmp_path, HANGING, "-n", workers)
    assert "4 failed, 1 passed" in said
    assert seconds < 4 * 2 + 60, "a busy machine starts slowly"
    for name in ("sleep", "await", "join", "process"):
        assert re.search(rf"FAILED .*::test_{name} - Failed: Timeout", said)
    assert "in sleeps_in_a_thread" in said
    assert "in waits_for_nobody" in said
    assert said.count("Thread MainThread:") == 4
    (pid,) = re.findall(r"^pid=(\d+)", said, re.MULTILINE)
    assert not psutil.pid_exists(int(pid)) or left([psutil.Process(int(pid))], 5) == []


def test_a_test_that_cannot_be_interrupted_ends_its_process_with_its_stacks(tmp_path: Path) -> None:
    said, _ = run(tmp_path, STUBBORN)
    assert "in test_swallows" in said.split("Timeout (0:00:0")[1]


def test_a_worker_that_was_ended_is_replaced(tmp_path: Path) -> None:
    said, _ = run(tmp_path, STUBBORN, "-n", "1")
    assert re.search(r"worker 'gw0' crashed while running .*test_swallows", said)
    assert "1 failed, 1 passed" in said
