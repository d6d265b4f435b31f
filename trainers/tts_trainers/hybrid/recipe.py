"""The recipe of `tts train hybrid`: one frozen section for each table of its TOML file.

Decisions:
* The batch is global, in rows: how it falls into processes and micro-batches is worked out at the start, so one recipe
  gives the same optimiser steps on one GPU and on eight.
* A run lasts epochs or steps, never both.
* Paths are read from the working folder, as on a command line; a name without a path is one of ours.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from tts import ConfigError
from tts_trainers.hybrid.monitor_settings import Monitoring
from tts_trainers.recipe import HybridObjective, Optimisation, Section


class ModelSection(Section):
    """The student: a hub id, a folder, or `miniature`, the embedded model.

    `dtype` is that of the weights in memory; with `optimisation.bf16` they are computed with in bfloat16 all the same.
    `max_positions` replaces the limit that the model declares (with plain RoPE nothing else changes).
    `quantisation` keeps the frozen weights under LoRA in 4 bits (QLoRA).
    """

    name: str = Field(min_length=1)
    dtype: Literal["float32", "bfloat16"] = "float32"
    attn: Literal["sdpa", "eager", "flash_attention_2", "flash_attention_3"] = "sdpa"
    chat_template: str | None = None
    max_positions: int | None = Field(None, ge=16)
    quantisation: Literal["nf4"] | None = None


class LoraSection(Section):
    """Low-rank adapters instead of all weights; the checkpoint written at the end is merged."""

    r: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"


class DataSection(Section):
    """Training rows and held-out rows: a .jsonl or .parquet file, a folder of `tts train-data`, or `hub:org/name`.

    `boxed = false` is for tasks whose answers are not put into a box.
    """

    train: str | None = None
    evaluation: str | None = None
    boxed: bool = True


class OptimisationSection(Optimisation):
    """How long and how fast; `warmup` below 1 is a share of all steps.

    A micro-batch holds `per_device` rows; `batch` = `per_device` x processes x accumulation. Rows longer than
    `max_length` tokens are left out.
    """

    per_device: int = Field(1, ge=1)
    optimiser: Literal["adamw_torch", "adamw_torch_fused", "paged_adamw_8bit"] = "adamw_torch"
    max_length: int = Field(ge=16)
    packing: bool = False
    padding_free: bool = False

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give epochs or steps, one of the two")
        return self


class PromptSection(Section):
    """The prompts that the rows were made with; the checkpoint carries them, and `gsr` uses them."""

    direct_template: str = "direct"
    refine_template: str = "refine"
    candidate_tokens: int = Field(1536, ge=1)
    k: int = Field(4, ge=1)


class TrackingSection(Section):
    """What is logged, evaluated on held-out rows and saved, every so many steps."""

    report_to: Literal["none", "wandb", "tensorboard"] = "none"
    run_name: str | None = None
    logging_steps: int = Field(10, ge=1)
    evaluation_steps: int = Field(200, ge=1)
    save_steps: int = Field(200, ge=1)
    keep_checkpoints: int = Field(2, ge=1)


class HybridRecipe(Section):
    """Everything that a run of `tts train hybrid` depends on."""

    own_prefix: ClassVar[str] = "gsr-"
    seed: int = 0
    model: ModelSection
    lora: LoraSection | None = None
    data: DataSection = DataSection()
    objective: HybridObjective = HybridObjective()
    optimisation: OptimisationSection
    prompts: PromptSection = PromptSection()
    monitoring: Monitoring | None = None
    tracking: TrackingSection = TrackingSection()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.model.quantisation is not None and self.lora is None:
            raise ValueError("model.quantisation: weights of 4 bits cannot be trained; add a table [lora]")
        return self


def chat_template(name: str) -> str:
    """The source of one of our chat templates by name (`"qwen3"`), or of a file.

    Raises `ConfigError` where there is neither.
    """
    own = resources.files("tts_trainers").joinpath("recipes", f"{name}.jinja")
    path = Path(name)
    if path.name == name and own.is_file():
        return own.read_text("utf-8")
    if path.is_file():
        return path.read_text("utf-8")
    raise ConfigError(f"model.chat_template = {name!r} is no file; give the path of a Jinja file, or 'qwen3' (ours)")
