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
    """The student and its weights in memory."""

    name: str = Field(min_length=1)
    """The student: a hub id, a folder, or `miniature`, the embedded model."""

    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number format of the weights in memory; with `optimisation.bf16` they are computed with in bfloat16 all the same.
    By default master weights in float32 (our choice: small updates are not lost).
    """

    attn: Literal["sdpa", "eager", "flash_attention_2", "flash_attention_3"] = "sdpa"
    """The attention implementation, as transformers calls it. By default sdpa, which needs no further package (our
    choice).
    """

    chat_template: str | None = None
    """The chat template to train with: `qwen3` (ours, which keeps the think block of the last turn, as in the paper),
    or the path of a Jinja file. By default the model's own.
    """

    max_positions: int | None = Field(None, ge=16)
    """Tokens that the model declares as its limit, in place of its own; with plain RoPE nothing else changes. By
    default its own; the paper sets 65,536 (arXiv 2509.00084).
    """

    quantisation: Literal["nf4"] | None = None
    """Keep the frozen weights under LoRA in 4 bits (QLoRA, arXiv 2305.14314). By default they are not quantised."""


class LoraSection(Section):
    """Low-rank adapters instead of all weights; the checkpoint written at the end is merged."""

    r: int = Field(16, ge=1)
    """Rank of the adapters. By default 16 (our choice)."""

    alpha: int = Field(32, ge=1)
    """Scale of the adapters, in units of the rank. By default twice the default rank (our choice, a common one)."""

    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the adapters' inputs dropped while training, at least 0 and below 1. By default none (our choice)."""

    targets: str | tuple[str, ...] = "all-linear"
    """The layers that get adapters, by name, or `all-linear` for every linear layer but the head, as in QLoRA (arXiv
    2305.14314).
    """


class DataSection(Section):
    """Training rows and held-out rows."""

    train: str | None = None
    """Training rows: a .jsonl or .parquet file, a folder of `tts train-data`, or `hub:org/name`; `--data` sets it."""

    evaluation: str | None = None
    """Held-out rows, as `train`. By default those of the folder of `tts train-data`, else none."""

    boxed: bool = True
    """Whether answers are put into a box, so that rows without one are told of. On by default, as the paper's prompt
    asks for a box.
    """


class OptimisationSection(Optimisation):
    """How long and how fast; either `epochs` or `steps`."""

    per_device: int = Field(1, ge=1)
    """Rows of a micro-batch on one device; `batch` = `per_device` x processes x accumulation. By default 1 (our choice:
    one long row fills a GPU).
    """

    optimiser: Literal["adamw_torch", "adamw_torch_fused", "paged_adamw_8bit"] = "adamw_torch"
    """AdamW, as in the paper: torch's, its fused kernel for GPUs, or paged in 8 bits (with bitsandbytes) for little
    memory.
    """

    max_length: int = Field(ge=16)
    """The most tokens of a row, prompt and completion together; longer rows are left out and counted. The paper's
    recipe has 24,576.
    """

    order: Literal["alternate", "shuffle"] = "alternate"
    """Micro-batches of one objective in turn, the shorter one repeated so that every step trains both; or all rows
    shuffled, each once an epoch. By default in turn (our choice: padding stays low); the paper merges and shuffles.
    """

    packing: bool = False
    """Put several rows into one of `max_length` tokens, so that `batch` counts packs. Off by default: long rows need
    none.
    """

    padding_free: bool = False
    """Lay the rows of a micro-batch end to end without padding. Off by default."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give epochs or steps, one of the two")
        return self


class PromptSection(Section):
    """The prompts that the rows were made with; the checkpoint carries them, and `gsr` uses them."""

    direct_template: str = "direct"
    """The direct prompt of the rows: a name of ours, or the path of a Jinja file with the field `problem`."""

    refine_template: str = "refine"
    """The refine prompt of the rows: a name of ours, or the path of a Jinja file with the fields `problem` and
    `candidates`.
    """

    candidate_tokens: int = Field(1536, ge=1)
    """Budget in tokens for the summary of each candidate in the rows. By default 1,536: 6,144 for four (arXiv
    2509.00084).
    """

    k: int = Field(4, ge=1)
    """Candidates in each refine prompt of the rows. By default the paper's four."""


class TrackingSection(Section):
    """What is logged, evaluated on held-out rows and saved, every so many steps."""

    report_to: Literal["none", "wandb", "tensorboard"] = "none"
    """Where metrics go beside the log of the run; TRL's own switches."""

    run_name: str | None = None
    """The name of the run in that place. By default transformers chooses."""

    logging_steps: int = Field(10, ge=1)
    """Optimiser steps between two lines of the log. By default 10 (our choice)."""

    evaluation_steps: int = Field(200, ge=1)
    """Optimiser steps between two evaluations of the loss on held-out rows. By default 200 (our choice)."""

    save_steps: int = Field(200, ge=1)
    """Optimiser steps between two checkpoints to go on from. By default 200 (our choice)."""

    keep_checkpoints: int = Field(2, ge=1)
    """How many of the newest checkpoints are kept. By default two, so that one is whole if the other is being written
    (our choice).
    """


class HybridRecipe(Section):
    """Everything that a run of `tts train hybrid` depends on."""

    own_prefix: ClassVar[str] = "gsr-"
    seed: int = 0
    """Seed of the order of rows and of whatever is drawn."""

    model: ModelSection
    """What is trained."""

    lora: LoraSection | None = None
    """Adapters; without this table all weights are trained, as in the paper."""

    data: DataSection = DataSection()
    """The rows."""

    objective: HybridObjective = HybridObjective()
    """The loss."""

    optimisation: OptimisationSection
    """How long and how fast."""

    prompts: PromptSection = PromptSection()
    """The prompts that the rows were made with."""

    monitoring: Monitoring | None = None
    """Evaluation while training; without this table there is none."""

    tracking: TrackingSection = TrackingSection()
    """What is logged and saved."""

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
