"""Whether this machine has what a recipe asks for, before a weight is read."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import NamedTuple

from tts import ConfigError, MissingDependencyError
from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.runtime.processes import check_started, processes, visible_gpus

CPU_RECIPE = "gsr-cpu"


class _Need(NamedTuple):
    """A key of a recipe as its file has it, and the package that it takes."""

    key: str
    package: str


_KERNELS = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}


def check_packages(recipe: HybridRecipe) -> None:
    """Raise `MissingDependencyError` where a key of the recipe needs a package that is not installed."""
    for key, package in [*_on_gpus(recipe), *_anywhere(recipe)]:
        if find_spec(package) is None:
            raise MissingDependencyError(f"{key} needs the package {package!r}, which is not installed")


def check_hardware(recipe: HybridRecipe) -> None:
    """Raise `ConfigError` where a key of the recipe needs a GPU that is not there, or more of them than there are."""
    gpus = visible_gpus()
    keys = [need.key for need in _on_gpus(recipe)] + ["optimisation.bf16 = true"] * recipe.optimisation.bf16
    if keys and not gpus:
        raise ConfigError(
            f"{keys[0]} needs a CUDA GPU, and none is visible; run on a machine with one, or use the recipe "
            f"{CPU_RECIPE!r}, which runs on CPUs"
        )
    import torch

    if gpus and recipe.optimisation.bf16 and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ConfigError(f"{torch.cuda.get_device_name()} has no bfloat16; set optimisation.bf16 = false")
    check_started(gpus)


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
