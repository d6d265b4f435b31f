"""However a program ends, the engine's processes end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("vllm.v1", reason="vLLM has an environment of its own: make test-vllm")
from processes import left, psutil
from waiting import line

PROGRAM = Path(__file__).parent / "vllm_process.py"


@pytest.mark.parametrize("manner", ["end", "exception", "signal", "terminate", "kill"])
def test_no_process_stays_behind(manner: str) -> None:
    name = "signal" if manner in {"signal", "terminate", "kill"} else manner
    program = subprocess.Popen(
        [sys.executable, str(PROGRAM), name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert line(program, 600) == "ready\n"  # nothing of the engine's own is on stdout
    try:
        children = psutil.Process(program.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    assert children or name != "signal"
    if name == "signal":
        time.sleep(2)
    if manner == "signal":
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does on Ctrl-C: to the whole group
    elif manner in {"terminate", "kill"}:
        program.send_signal(signal.SIGTERM if manner == "terminate" else signal.SIGKILL)
    _, errors = program.communicate(timeout=120)
    assert left(children, seconds=20) == []
    if manner == "exception":
        assert "the user's own" in errors


def test_a_model_in_two_roles_is_loaded_once() -> None:
    found = subprocess.run([sys.executable, str(PROGRAM), "roles"], capture_output=True, text=True, timeout=300)
    assert found.stdout == "1\n", found.stderr[-2000:]


def test_an_engine_that_stands_still_is_told_from_one_that_works_for_long() -> None:
    found = subprocess.run([sys.executable, str(PROGRAM), "hangs"], capture_output=True, text=True, timeout=280)
    assert "has answered nothing for" in found.stdout, found.stdout + found.stderr[-2000:]
