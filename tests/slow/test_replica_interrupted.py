"""The replica's stages in processes of their own: however the run ends, none goes on without it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest
from waiting import until

pytest.importorskip("trl")
from processes import left, psutil

from tts_trainers.recipe import load_recipe
from tts_trainers.replica.recipe import ReplicaRecipe

pytestmark = pytest.mark.slow


def long_recipe(folder: Path) -> Path:
    """The shipped recipe with little to read, and so many steps that it is always in the middle of one stage."""
    text = (resources.files("tts_trainers") / "recipes" / "replica.toml").read_text("utf-8")
    file = folder / "long.toml"
    file.write_text(text.replace("problems = 40000", "problems = 48").replace("steps = 1000 ", "steps = 1000000 "))
    assert load_recipe(str(file), ReplicaRecipe).base.optimisation.steps == 1_000_000
    return file


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_ends_takes_its_stages_with_it(tmp_path: Path, by: signal.Signals) -> None:
    command = [sys.executable, "-m", "tts_trainers.replica", "--out", str(tmp_path / "out"), "--jobs", "2"]
    run = subprocess.Popen(
        [*command, "--recipe", str(long_recipe(tmp_path))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until((tmp_path / "out" / "base-1M").exists, run, 120)
    time.sleep(3)
    below = psutil.Process(run.pid).children(recursive=True)
    assert below
    if by == signal.SIGINT:
        os.killpg(run.pid, by)  # as a terminal does
    else:
        run.send_signal(by)
    _, errors = run.communicate(timeout=60)
    assert left(below, seconds=30) == []
    if by == signal.SIGINT:
        assert f"interrupted; run the same command again to go on from {tmp_path / 'out'}" in errors
        assert "Traceback" not in errors
        assert run.returncode == 130
