"""Two CPU processes over gloo end where one process with the whole batch ends."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import hybrid_worker
import pytest
import torch

WORKER = Path(__file__).with_name("hybrid_worker.py")
RECIPES = resources.files("tts_trainers").joinpath("recipes", "accelerate")
TORCHRUN = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
SGD = {"optim": "sgd", "learning_rate": 0.1, "lr_scheduler_type": "constant", "max_steps": 3}

pytestmark = pytest.mark.slow


def _accelerate(config: str) -> list[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    run = ["accelerate.commands.launch", "--config_file", str(RECIPES.joinpath(config))]
    return [*run, "--num_processes", "2", "--mixed_precision", "no", "--main_process_port", port]


def _two_ranks(launcher: list[str], output: Path, **job: Any) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    command = [sys.executable, "-m", *launcher, str(WORKER), json.dumps({"output": str(output), **job})]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads((output / "found.json").read_text())
    return found


def _assert_same(two: dict[str, Any], one: dict[str, Any], tolerance: float = 1e-5) -> None:
    assert len(one["losses"]) == 3
    for ours, theirs in zip(two["losses"], one["losses"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    assert two["evaluated"] == pytest.approx(one["evaluated"], rel=1e-4)
    assert set(two["weights"]) == set(one["weights"])
    for name, weights in one["weights"].items():
        torch.testing.assert_close(
            torch.tensor(two["weights"][name]), torch.tensor(weights), rtol=1e-4, atol=tolerance, msg=name
        )


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return hybrid_worker.run(tmp_path_factory.mktemp("one"), {**SGD, "gradient_accumulation_steps": 8})


@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_accumulation_steps": 4},
        {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2},
        {"packing": True, "max_length": 40, "gradient_accumulation_steps": 2},
    ],
    ids=["padded", "padded batches of two", "packed"],
)
def test_data_parallel(one_process: dict[str, Any], tmp_path: Path, changes: dict[str, Any]) -> None:
    _assert_same(_two_ranks(TORCHRUN, tmp_path, settings={**SGD, **changes}), one_process)


def test_resumed_in_the_middle_of_the_second_epoch(tmp_path: Path) -> None:
    # Eight rows, two a step: four steps an epoch, and the checkpoint is in the second one, which with this seed does
    # not end with the rows that the first one ended with.
    settings = {**SGD, "max_steps": 8, "save_strategy": "steps", "save_steps": 6, "seed": 2}
    found = _two_ranks(TORCHRUN, tmp_path, settings=settings, resume="checkpoint-6")
    assert len(found["losses"]) == 8
    assert found["resumed"] == found["losses"]


def test_fsdp2(one_process: dict[str, Any], tmp_path: Path) -> None:
    settings = {**SGD, "gradient_accumulation_steps": 4, "save_strategy": "steps", "save_steps": 2}
    two = _two_ranks(_accelerate("fsdp2.yaml"), tmp_path, settings=settings, resume="checkpoint-2")
    assert two["kind"] == "FSDP"
    assert two["sharded"]
    _assert_same(two, one_process)
    assert two["resumed"] == two["losses"]


@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="needs `pip install deepspeed`")
@pytest.mark.parametrize(("stage", "sharded"), [(2, False), (3, True)])
def test_deepspeed(one_process: dict[str, Any], tmp_path: Path, stage: int, sharded: bool) -> None:
    settings = {**SGD, "gradient_accumulation_steps": 4}
    two = _two_ranks(_accelerate(f"deepspeed-zero{stage}.yaml"), tmp_path, settings=settings)
    assert two["kind"] == "DEEPSPEED"
    assert two["sharded"] is sharded
    _assert_same(two, one_process, tolerance=1e-4)
