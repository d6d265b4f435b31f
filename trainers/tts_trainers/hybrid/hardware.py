"""Whether this machine has what a recipe asks for, before a weight is read."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import NamedTuple

from tts import ConfigError, MissingDependencyError
from tts_trainers.hybrid.recipe import HybridRecipe

CPU_RECIPE = "gsr-cpu"


class _Need(NamedTuple):
    """A key of a recipe as its file has it, and the package that it takes."""

    key: str
    package: str


_KERNELS = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}


def processes() -> int:
    """Processes of this run, as `accelerate launch` or `torchrun` started them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is; the first one speaks."""
    return int(os.environ.get("RANK", "0"))


def check_hardware(recipe: HybridRecipe) -> None:
    """Raise `ConfigError` where a key of the recipe needs a GPU that is not there, or more of them than there are.

    Raises `MissingDependencyError` where one needs a package that is not installed.
    """
    gpus = _gpus()
    keys = [need.key for need in _on_gpus(recipe)] + ["optimisation.bf16 = true"] * recipe.optimisation.bf16
    if keys and not gpus:
        raise ConfigError(
            f"{keys[0]} needs a CUDA GPU, and none is visible; run on a machine with one, or use the recipe "
            f"{CPU_RECIPE!r}, which runs on CPUs"
        )
    for key, package in [*_on_gpus(recipe), *_anywhere(recipe)]:
        if find_spec(package) is None:
            raise MissingDependencyError(f"{key} needs the package {package!r}, which is not installed")
    import torch

    if gpus and recipe.optimisation.bf16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ConfigError(f"{torch.cuda.get_device_name()} has no bfloat16; set optimisation.bf16 = false")
    check_started(gpus)


def check_trainer() -> None:
    """What any training takes: TRL, and a process for each visible GPU; raises as `check_hardware` does."""
    check_started(_gpus())


def _gpus() -> int:
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


def check_memory(recipe: HybridRecipe, parameters: int) -> None:
    """Raise `ConfigError` where weights, gradients and optimiser alone are more than a GPU holds.

    Where some of that is kept elsewhere (DeepSpeed, offloading) nothing is checked.
    """
    import torch

    elsewhere = os.environ.get("ACCELERATE_USE_DEEPSPEED"), os.environ.get("FSDP_OFFLOAD_PARAMS")
    if not torch.cuda.is_available() or "true" in elsewhere:
        return
    shards = processes() if os.environ.get("ACCELERATE_USE_FSDP") == "true" else 1
    memory = torch.cuda.get_device_properties(0).total_memory
    needed = parameters * bytes_per_parameter(recipe) / shards
    if needed > memory:
        raise ConfigError(
            f"{recipe.model.name!r} takes {needed / 1e9:,.0f} GB of each GPU for weights, gradients and optimiser "
            f"alone, and it has {memory / 1e9:,.0f} GB; shard it over more GPUs with `accelerate launch` "
            "(docs/training.md has the command), or add a table [lora]"
        )


def bytes_per_parameter(recipe: HybridRecipe) -> float:
    """What one parameter of the model keeps in memory while it is trained, without activations."""
    weight = {"float32": 4.0, "bfloat16": 2.0}[recipe.model.dtype]
    if recipe.lora is not None:
        return 0.5 if recipe.model.quantisation is not None else weight
    states = 0.0 if recipe.optimisation.optimiser == "paged_adamw_8bit" else 2 * weight
    return weight + weight + states


def _on_gpus(recipe: HybridRecipe) -> list[_Need]:
    """What only a GPU can serve."""
    found = []
    if recipe.model.quantisation is not None:
        found.append(_Need(f"model.quantisation = {recipe.model.quantisation!r}", "bitsandbytes"))
    if recipe.model.attn in _KERNELS:
        found.append(_Need(f"model.attn = {recipe.model.attn!r}", _KERNELS[recipe.model.attn]))
    if recipe.optimisation.optimiser == "paged_adamw_8bit":
        found.append(_Need(f"optimisation.optimiser = {recipe.optimisation.optimiser!r}", "bitsandbytes"))
    return found


def _anywhere(recipe: HybridRecipe) -> list[_Need]:
    found = []
    if recipe.lora is not None:
        found.append(_Need("the table [lora]", "peft"))
    if recipe.tracking.report_to != "none":
        found.append(_Need(f"tracking.report_to = {recipe.tracking.report_to!r}", recipe.tracking.report_to))
    return found
