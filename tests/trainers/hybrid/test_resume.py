from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hybrid_parts import ROWS, settings, tiny_model, tiny_tokenizer, trainer

from tts import ConfigError
from tts_trainers.runtime.checkpoints import last_checkpoint

SCRIPT = Path(__file__).with_name("killed_training.py")
STEPS = 14


def _train(output: Path, kill_after: int | None = None) -> dict[int, list[float]]:
    """The losses of each step that the process logged; SIGKILL follows the line of step `kill_after`."""
    command = [sys.executable, str(SCRIPT), str(output), str(STEPS)]
    losses: dict[int, list[float]] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("["):
                step, *losses[0] = json.loads(line)
                losses[step] = losses.pop(0)
                if step == kill_after:
                    process.send_signal(signal.SIGKILL)
                    break
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL)
    return losses


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_losses(tmp_path: Path) -> None:
    expected = _train(tmp_path / "whole")
    assert sorted(expected) == list(range(1, STEPS + 1))

    first = _train(tmp_path / "killed", kill_after=9)  # it is saving just then
    second = _train(tmp_path / "killed", kill_after=11)  # four steps are an epoch: now in the third
    third = _train(tmp_path / "killed")
    assert min(second) in {7, 10}  # whether the save of step 9 had ended
    assert min(third) == 10
    for part in (first, second, third):
        assert part == {step: expected[step] for step in part}
    assert max(third) == STEPS


def _checkpoint(folder: Path, step: int, state: str | None) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    (path / "model.safetensors").touch()
    if state is not None:
        (path / "trainer_state.json").write_text(state)
    return path


def test_the_last_complete_checkpoint_is_found(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    assert last_checkpoint(tmp_path / "not there") is None
    _checkpoint(tmp_path, 12, None)
    _checkpoint(tmp_path, 11, '{"global_st')
    _checkpoint(tmp_path, 9, "{}")
    newest = _checkpoint(tmp_path, 10, "{}")
    (tmp_path / "checkpoint-best").mkdir()
    assert last_checkpoint(tmp_path) == newest


def test_training_passes_over_a_half_written_checkpoint(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()

    def losses(resume: bool, steps: int) -> list[float]:
        args = settings(tmp_path, max_steps=6, save_strategy="steps", save_steps=2, gradient_accumulation_steps=2)
        ours = trainer(tiny_model(tokenizer), tokenizer, args)
        ours.train(resume_from_checkpoint=resume)
        assert ours.state.global_step == steps
        return [log["loss"] for log in ours.state.log_history if "loss" in log]

    expected = losses(resume=True, steps=6)  # nothing to go on from: from the start
    shutil.rmtree(tmp_path / "checkpoint-6")
    (tmp_path / "checkpoint-4" / "trainer_state.json").unlink()
    (tmp_path / "checkpoint-4" / "optimizer.pt").write_bytes(b"half")
    assert losses(resume=True, steps=6) == expected


def test_a_run_that_kept_no_optimiser_cannot_be_resumed(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    args = settings(tmp_path, max_steps=2, save_strategy="steps", save_steps=1, save_only_model=True)
    ours: Any = trainer(tiny_model(tokenizer), tokenizer, args, ROWS)
    ours.train()
    with pytest.raises(ConfigError, match="save_only_model keeps no optimiser to resume with"):
        ours.train(resume_from_checkpoint=True)
