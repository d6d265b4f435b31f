from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

FOLDER = Path(str(resources.files("tts_trainers").joinpath("recipes", "accelerate")))
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))


def _launch(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("accelerate.commands.launch.is_deepspeed_available", lambda: True, raising=False)
    args = launch_command_parser().parse_args(["--config_file", str(FOLDER / name), "script.py"])
    return _validate_launch_command(args)[0]


def test_what_is_shipped() -> None:
    assert FILES == ["context-parallel.yaml", "deepspeed-zero2.yaml", "deepspeed-zero3.yaml", "fsdp2.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_accelerate_knows_every_key(name: str) -> None:
    config = load_config_from_file(str(FOLDER / name))
    assert config.num_processes == 8
    assert config.mixed_precision == "bf16"


@pytest.mark.parametrize("name", FILES)
def test_accelerate_launches_what_the_file_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    args = _launch(name, monkeypatch)
    if name.startswith("deepspeed"):
        assert args.use_deepspeed
        assert args.zero_stage == int(name[len("deepspeed-zero")])
    else:
        assert args.use_fsdp
        assert args.fsdp_version == 2
    assert args.use_parallelism_config == name.startswith("context")
    if name.startswith("context"):
        assert args.parallelism_config_cp_size == 2
