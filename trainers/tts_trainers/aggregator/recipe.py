"""The recipe of `tts train aggregator`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tts_trainers.data.recipe import KindsSection
from tts_trainers.hybrid.recipe import LoraSection, ModelSection, PromptSection
from tts_trainers.recipe import Optimisation, Section


class PromptsOfSets(Section):
    """Which prompts are made of stored candidates."""

    candidates: str | None = None
    """Candidate sets with gold answers: a store (`.db`), or a file as `tts sample` writes it; the command names it."""

    limit: int | None = Field(None, ge=1)
    """Read only so many problems. By default all."""

    shown: tuple[Annotated[int, Field(ge=1)], ...] = Field((4,), min_length=1)
    """How many candidates a refine prompt shows: one of these numbers at random for each. By default the paper's four
    (arXiv 2509.00084).
    """

    groups: int = Field(1, ge=1)
    """Refine prompts made of one problem's candidates, each with its own choice. By default one (our choice)."""

    kinds: KindsSection = KindsSection()
    """Which groups refine prompts show: candidates drawn at random (`own`), or changed on purpose."""

    hard_share: float = Field(0.5, ge=0, le=1)
    """Share of the refine prompts whose majority is wrong; of the larger side some are left out at random. By default
    half, so that easy sets do not drown the others (our choice; arXiv 2509.06870 and 2506.09014 balance them, too).
    """

    direct_share: float = Field(0.0, ge=0, lt=1)
    """Share of direct prompts in all, so that one run trains both modes. By default none."""

    extractor: str = "auto"
    """What finds the final answer in a visible text, by name. By default a box, else other signs of an answer."""

    grader: str = "math"
    """What compares an answer with the gold answer, by name: the reward. By default mathematical equality."""


class RolloutSection(Section):
    """How completions are drawn while training."""

    generations: int = Field(8, ge=2)
    """Completions of each prompt, which are compared with each other. By default that of TRL."""

    temperature: float = Field(1.0, gt=0)
    """Sampling temperature, above 0. By default 1, so that what is learned from is the model itself."""

    top_p: float = Field(1.0, gt=0, le=1)
    """Share of the probability that tokens are drawn from, above 0 and at most 1. By default all of it."""

    max_tokens: int = Field(512, ge=1)
    """The most new tokens; a completion that was cut there has no reward. By default that of TRL."""

    engine: Literal["hf", "vllm"] = "hf"
    """Who draws them: the model in training, or vLLM beside it in TRL's colocated mode. By default the model itself."""


class RewardSection(Section):
    """What is made of the rewards, 1 for a correct answer and 0 for any other."""

    loss: Literal["dapo", "grpo", "dr_grpo", "bnpo"] = "dapo"
    """The loss, as TRL calls it. By default that of TRL."""

    beta: float = Field(0.0, ge=0)
    """Weight of the divergence from the model that was started from. By default none, as in TRL."""

    epsilon: float = Field(0.2, gt=0)
    """How far a token's probability ratio may move in one update. By default that of TRL."""

    scale: Literal["group", "batch", "none"] = "group"
    """By whose standard deviation rewards are divided. By default that of a prompt's completions, as in TRL."""


class Tracking(Section):
    """What is logged and saved, every so many steps."""

    report_to: Literal["none", "wandb", "tensorboard"] = "none"
    """Where metrics go beside the log of the run; TRL's own switches."""

    run_name: str | None = None
    """The name of the run in that place. By default transformers chooses."""

    logging_steps: int = Field(10, ge=1)
    """Optimiser steps between two lines of the log. By default 10 (our choice)."""

    save_steps: int = Field(50, ge=1)
    """Optimiser steps between two checkpoints to go on from. By default 50 (our choice: a step takes long)."""

    keep_checkpoints: int = Field(2, ge=1)
    """How many of the newest checkpoints are kept. By default two, so that one is whole if the other is being written
    (our choice).
    """


class AggregatorRecipe(Section):
    """Everything that a run of `tts train aggregator` depends on."""

    own_prefix: ClassVar[str] = "aggregator-"
    seed: int = 0
    """Seed of prompts, their order and completions."""

    model: ModelSection
    """What is trained: a model that can refine already, such as one of `tts train hybrid`."""

    lora: LoraSection | None = None
    """Adapters; without this table all weights are trained."""

    data: PromptsOfSets = PromptsOfSets()
    """The prompts."""

    rollout: RolloutSection = RolloutSection()
    """The completions."""

    reward: RewardSection = RewardSection()
    """The loss."""

    optimisation: Optimisation
    """How long and how fast; `batch` counts completions, and `max_length` bounds a prompt with its completion."""

    prompts: PromptSection = PromptSection()
    """The templates and the budget of candidates that prompts are made with; the checkpoint carries them."""

    tracking: Tracking = Tracking()
    """What is logged and saved."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.model.quantisation is not None and self.lora is None:
            raise ValueError("model.quantisation: weights of 4 bits cannot be trained; add a table [lora]")
        if (self.optimisation.epochs is None) == (self.optimisation.steps is None):
            raise ValueError("optimisation: give epochs or steps, one of the two")
        if self.optimisation.batch % self.rollout.generations:
            raise ValueError(
                f"optimisation.batch = {self.optimisation.batch} completions are not whole prompts of "
                f"rollout.generations = {self.rollout.generations}; make it a multiple of that"
            )
        return self
