"""The processes of a training run beside the GPUs that they see."""

from __future__ import annotations

import os
from importlib.util import find_spec

from tts import ConfigError, MissingDependencyError


def processes() -> int:
    """Processes of this run, as `accelerate launch` or `torchrun` started them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is; the first one speaks."""
    return int(os.environ.get("RANK", "0"))


def check_trainer() -> None:
    """What any training takes: TRL, and a process for each visible GPU.

    Raises `ConfigError` or `MissingDependencyError`.
    """
    check_started(visible_gpus())


def visible_gpus() -> int:
    """The visible GPUs, after a look whether anything can be trained at all."""
    if find_spec("trl") is None:
        raise MissingDependencyError("training needs the package 'trl'; pip install 'ttscale[train]'")
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def check_started(gpus: int) -> None:
    """Compare the processes that were started with the visible GPUs, where there are any."""
    if gpus:
        check_processes(gpus, processes(), int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def check_processes(gpus: int, started: int, here: int) -> None:
    """Raise `ConfigError` where processes and visible GPUs do not go together; `here` counts those of this machine."""
    if here > gpus:
        raise ConfigError(f"{here} processes were started here, and {gpus} GPUs are visible; start one for each GPU")
    if started == 1 and gpus > 1:
        raise ConfigError(
            f"{gpus} GPUs are visible to a single process; start one process for each with `accelerate launch` "
            "(docs/training.md has the command), or show it one of them with CUDA_VISIBLE_DEVICES=0"
        )
