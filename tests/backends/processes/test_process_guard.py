"""What a process starts under a guard ends with it, however it ends; what it starts later, or released, does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import left, psutil, runs
from waiting import line

PROGRAM = """
import os, signal, subprocess, sys, time
from tts_backends.processes.guard import ProcessGuard

def engine():
    code = "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); print('up', flush=True); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    child.stdout.readline()
    return child

where = sys.argv[1]
guard = ProcessGuard()
signal.signal(signal.SIGUSR1, lambda *_: guard.end())
child = engine()
if where == "forked" and os.fork() == 0:
    time.sleep(600)
time.sleep(1)
if where == "later":
    guard.started()
    child = engine()
if where == "released":
    guard.release()
print(child.pid, flush=True)
while True:
    time.sleep(600)
"""


def start(tmp_path: Path, where: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    program = subprocess.Popen([sys.executable, str(script), where], stdout=subprocess.PIPE, text=True)
    engine = psutil.Process(int(line(program)))
    return program, [engine, *engine.children(recursive=True)]


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_process_that_ends_takes_all_with_it(tmp_path: Path, by: signal.Signals) -> None:
    program, started = start(tmp_path, "guarded")
    assert len(started) == 2
    watchers = [one for one in psutil.Process(program.pid).children() if one not in started]
    assert len(watchers) == 1
    os.kill(program.pid, by)
    program.communicate(timeout=60)
    assert left([*started, *watchers]) == []


def test_what_it_starts_later_is_not_ended_with_it(tmp_path: Path) -> None:
    program, started = start(tmp_path, "later")
    others = [one for one in psutil.Process(program.pid).children() if one not in started]
    assert len(others) == 2  # the watcher and the engine
    program.kill()
    program.communicate(timeout=60)
    assert left(others) == []
    assert left(started, seconds=1) == started
    for one in started:
        one.kill()


def test_released_it_takes_nothing_with_it(tmp_path: Path) -> None:
    program, started = start(tmp_path, "released")
    assert psutil.Process(program.pid).children() == started[:1]  # no watcher is left
    program.kill()
    program.communicate(timeout=60)
    assert left(started, seconds=1) == started
    for one in started:
        one.kill()


def test_a_start_that_failed_leaves_nothing(tmp_path: Path) -> None:
    program, started = start(tmp_path, "failing")
    assert len(started) == 2
    program.send_signal(signal.SIGUSR1)  # the start has failed
    assert left(started) == []
    assert runs(psutil.Process(program.pid))
    program.kill()
    program.communicate(timeout=60)


def test_a_start_that_failed_ends_though_a_fork_holds_the_pipe(tmp_path: Path) -> None:
    program, started = start(tmp_path, "forked")
    program.send_signal(signal.SIGUSR1)
    assert left(started) == []
    program.kill()
    program.communicate(timeout=60)
