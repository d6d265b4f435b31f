"""However a program ends, and whenever, the engine's processes end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("sglang") is None:
    pytest.skip("SGLang has an environment of its own: make test-sglang", allow_module_level=True)
from processes import left, psutil
from sglang_server import model
from waiting import line, until

PROGRAM = Path(__file__).parent / "sglang_process.py"
SIGNALS = {"signal": signal.SIGINT, "terminate": signal.SIGTERM, "kill": signal.SIGKILL}


def engine_of(pid: int) -> list[psutil.Process]:
    """All processes below this one; those of the engine keep its session when their parent is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def start(manner: str) -> subprocess.Popen[str]:
    program = subprocess.Popen(
        [sys.executable, str(PROGRAM), manner, model()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert line(program, 600) == "ready\n"  # nothing of the engine's own is on stdout
    return program


@pytest.mark.parametrize("manner", ["end", "exception", *SIGNALS])
def test_no_process_stays_behind(manner: str) -> None:
    program = start("signal" if manner in SIGNALS else manner)
    children = engine_of(program.pid)
    assert children or manner not in SIGNALS
    if manner in SIGNALS:
        time.sleep(2)
    if manner == "signal":
        os.killpg(program.pid, SIGNALS[manner])  # as a terminal does on Ctrl-C: to the whole group
    elif manner in SIGNALS:
        program.send_signal(SIGNALS[manner])
    _, errors = program.communicate(timeout=120)
    assert left(children) == []
    if manner == "exception":
        assert "the user's own" in errors


def test_a_model_in_two_roles_is_loaded_once() -> None:
    command = [sys.executable, str(PROGRAM), "roles", model()]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.stdout == "1\n", found.stderr[-2000:]


@pytest.mark.parametrize("seconds", [0.5, 6, 15])
def test_a_program_that_is_ended_while_its_engine_starts_leaves_nothing(seconds: float) -> None:
    program = start("start")
    until(lambda: engine_of(program.pid), program, 120)
    time.sleep(seconds)
    children = engine_of(program.pid)
    sessions = {os.getsid(child.pid) for child in children if child.is_running()}
    program.terminate()
    program.communicate(timeout=60)
    assert left(children) == []
    assert not [pid for pid in psutil.pids() if _session(pid) in sessions]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid) if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None
