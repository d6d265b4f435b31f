"""Who waits where a watcher beside an engine, or the process of SGLang, dies. `make test-sglang` kills real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("torch")

from deaths import LIMIT
from waiting import until

import tts
from tts import BackendError, BackendUnavailable
from tts_backends.processes import guard as process_guard
from tts_backends.processes.guard import ProcessGuard
from tts_backends.sglang import process as sglang_process


@pytest.mark.parametrize("when", ["starting", "started"])
def test_a_watcher_that_is_killed_keeps_nobody(when: str) -> None:
    guard = ProcessGuard()
    if when == "started":
        guard.started()
    guard._watcher.kill()
    guard._watcher.wait()
    guard.started()
    guard.end()
    ProcessGuard().end()  # the next one has its turn


def test_a_watcher_that_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(process_guard, "_WATCHER", silent)
    monkeypatch.setattr(process_guard, "_FIRST_SECONDS", 0.2)
    monkeypatch.setattr(process_guard, "_LAST_SECONDS", 0.2)
    with pytest.raises(BackendError, match="does not start"):
        ProcessGuard()
    assert process_guard._one_at_a_time.acquire(timeout=5)
    process_guard._one_at_a_time.release()


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_sglangs_process_that_dies_while_it_starts_is_not_waited_for(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork of it goes on and holds the pipe, so that reading alone would not end."""
    host = tmp_path / "host.py"
    host.write_text(
        "import os, signal, sys, time\n"
        "if os.fork() == 0:\n    time.sleep(600)\n"
        + ("os._exit(3)\n" if end == "exit" else "os.kill(os.getpid(), signal.SIGKILL)\n")
    )
    popen, started = subprocess.Popen, []

    def start(command: list[str], **options: Any) -> Any:
        started.append(popen([sys.executable, str(host)], **options))
        return started[-1]

    monkeypatch.setattr(sglang_process.subprocess, "Popen", start)
    began = time.monotonic()
    with pytest.raises(BackendUnavailable, match="the engine's process ended while it started"):
        sglang_process.EngineProcess("sglang:x", "nowhere", {}, {})
    assert time.monotonic() - began < LIMIT
    until(lambda: not _group_is_there(started[0].pid))


def _group_is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_sglangs_process_says_last_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = tmp_path / "host.py"
    host.write_text('print(\'{"refused": "planted"}\', flush=True)\n')
    popen = subprocess.Popen
    monkeypatch.setattr(
        sglang_process.subprocess, "Popen", lambda command, **rest: popen([sys.executable, str(host)], **rest)
    )
    with pytest.raises(tts.ConfigError, match="sglang:x: planted"):
        sglang_process.EngineProcess("sglang:x", "nowhere", {}, {})
