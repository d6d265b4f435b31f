"""The replica's recipe: every setting of the family of small models in one TOML file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tts_trainers.data.recipe import KindsSection
from tts_trainers.helpers.judge import JudgeRecipe
from tts_trainers.helpers.reward_model import RewardModelRecipe
from tts_trainers.helpers.synthesizer import SynthesizerRecipe
from tts_trainers.recipe import Arm, HybridObjective, Section

Range = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class Optimisation(Section):
    """How long and how fast one stage learns."""

    steps: int = Field(ge=1)
    """Optimiser steps."""

    batch: int = Field(ge=1)
    """Rows of a micro-batch."""

    accumulate: int = Field(1, ge=1)
    """Micro-batches of an optimiser step. By default one."""

    learning_rate: float = Field(gt=0)
    """The highest learning rate."""

    schedule: Literal["constant_with_warmup", "cosine", "linear", "warmup_stable_decay"] = "cosine"
    """How the learning rate runs over the steps, as transformers calls it. By default cosine, as in the paper."""

    warmup_steps: int = Field(0, ge=0)
    """Optimiser steps over which the learning rate rises first. By default none."""

    decay_steps: int = Field(0, ge=0)
    """Optimiser steps at the end over which `warmup_stable_decay` falls; the others have none."""

    weight_decay: float = Field(0.01, ge=0)
    """Weight decay of AdamW. By default torch's."""

    adam_beta2: float = Field(0.98, gt=0, lt=1)
    """AdamW's decay of squared gradients, above 0 and below 1. By default 0.98 (our choice for few steps)."""

    max_grad_norm: float = Field(1.0, gt=0)
    """Norm that gradients are clipped to. By default that of transformers."""

    length_window: int = Field(16, ge=1)
    """Batches that are sorted by length together, which spares padding; 1 sorts nothing. By default 16 (our choice)."""

    bf16: bool = False
    """Compute in bfloat16; faster on CPUs with AVX512-BF16. Off by default: others should leave it so."""

    save_steps: int | None = Field(None, ge=1)
    """Optimiser steps between two checkpoints that an interrupted stage goes on from. By default none."""


class TaskRanges(Section):
    """Problems of the `sums` task, as its fields name them."""

    terms: Range
    """How many products are added, smallest and largest number."""

    left: Range
    """The range of each product's first factor."""

    right: Range
    """The range of each product's second factor."""

    def reference(self, *, size: int, seed: int, split: str) -> str:
        """The problems as a source that `tts.run` reads."""
        ranges = ",".join(f"{name}={low}-{high}" for name, (low, high) in self)
        return f"task:sums@size={size},seed={seed},split={split},{ranges}"


class Architecture(Section):
    """Shape of a model."""

    layers: int = Field(ge=1)
    """Transformer layers."""

    width: int = Field(ge=8)
    """Size of the hidden states."""

    heads: int = Field(ge=1)
    """Attention heads."""

    head_size: int = 64
    """Size of an attention head. By default one that vLLM and SGLang accept."""

    feed_forward: int = Field(ge=8)
    """Size of the inner layer of the feed-forward part."""

    base_steps: int | None = Field(None, ge=1)
    """Optimiser steps of the base stage in place of its own, where a size learns later than the others."""


class TokenizerSettings(Section):
    """The vocabulary that all sizes share."""

    context: int = Field(2048, ge=64)
    """Positions of the models, in tokens. By default room for ten candidates (our choice)."""

    vocab: int = Field(720, ge=270)
    """Entries of the vocabulary that all sizes share. By default 720 (our choice for words and digits of one task)."""


class BaseStage(Section):
    """The student: direct SFT on worked solutions, stopped at intermediate skill."""

    problems: int = Field(ge=1)
    """Problems that the student learns from."""

    shown_share: float = Field(0.0, ge=0, lt=1)
    """Share of them that stand in a refine prompt, with candidates that the task made up, and are solved as any other:
    so that the student answers such prompts, and has not learned to use what they show. By default none.
    """

    optimisation: Optimisation
    """How long and how fast it learns."""

    def optimisation_of(self, shape: Architecture) -> Optimisation:
        """The optimisation of one size."""
        if shape.base_steps is None:
            return self.optimisation
        return self.optimisation.model_copy(update={"steps": shape.base_steps})


class CandidateStage(Section):
    """The student's own candidates, and which of them a refine prompt shows (arXiv 2509.00084, section 3.2)."""

    problems: int = Field(ge=1)
    """Problems that candidates are drawn for."""

    sampled: int = Field(6, ge=1)
    """Candidates per problem. By default the paper's six (arXiv 2509.00084, section 3.2)."""

    shown: tuple[Annotated[int, Field(ge=1)], ...] = (4,)
    """How many candidates a refine prompt shows: one of these numbers at random for each prompt. By default the paper's
    four.
    """

    kinds: KindsSection = KindsSection()
    """Which groups they show: the student's own, and others that a refiner must survive."""

    prompts: int = Field(1, ge=1)
    """Refine prompts made of one problem's candidates, each with its own choice. By default one, as in the paper."""

    temperature: float = Field(1.0, gt=0)
    """Sampling temperature, above 0. By default the paper's."""

    top_p: float = Field(0.95, gt=0, le=1)
    """Share of the probability that tokens are drawn from, above 0 and at most 1. By default the paper's."""

    max_tokens: int = Field(128, ge=8)
    """The most new tokens of a candidate. By default 128 (our choice, for the short solutions of the task)."""

    all_correct_share: float = Field(0.25, ge=0, le=1)
    """Largest share of rows whose shown candidates are all correct, 0 to 1: they teach to copy, and little else. By
    default a quarter (our choice).
    """

    @model_validator(mode="after")
    def _enough_to_choose_from(self) -> Self:
        if max(self.shown) > self.sampled:
            raise ValueError(f"shown ({max(self.shown)}) candidates are chosen from {self.sampled}; sample more")
        return self


class ArmStage(Section):
    """Training of the student on direct rows, refine rows or both: the arms of the paper's Table 2.

    The steps of the hybrid arm hold micro-batches of both kinds in equal number. The others
    leave out one kind: they see the same number of rows of their own kind in the same number of steps. (The paper's
    arms have equal rows in all, so its single arms see twice as many of their kind.)
    """

    direct_problems: int = Field(ge=1)
    """Problems of the direct half."""

    objective: HybridObjective = HybridObjective()
    """The loss of the hybrid arm."""

    optimisation: Optimisation
    """How long and how fast the hybrid arm learns."""

    @model_validator(mode="after")
    def _both_kinds_in_a_step(self) -> Self:
        if self.optimisation.accumulate % 2:
            raise ValueError(
                f"optimisation.accumulate ({self.optimisation.accumulate}) is odd; a step of the hybrid arm "
                "takes micro-batches of both kinds in equal number"
            )
        return self

    def optimisation_of(self, arm: Arm) -> Optimisation:
        """The optimisation of one arm."""
        if arm == "hybrid":
            return self.optimisation
        return self.optimisation.model_copy(update={"accumulate": self.optimisation.accumulate // 2})


class EvaluationStage(Section):
    """What is measured: candidates and refinements at one temperature, as in the paper."""

    groups: int = Field(1000, ge=1)
    """Groups of the main table, two for each problem. By default 1,000 (our choice)."""

    arm_groups: int = Field(500, ge=1)
    """Groups for each arm, each size, each k and the harder problems. By default 500 (our choice)."""

    k: int = Field(4, ge=1)
    """Candidates of a group. By default the paper's four (arXiv 2509.00084)."""

    ks: tuple[int, ...] = (2, 4, 6, 8, 10)
    """The numbers of candidates of the figure over k. By default 2 to 10 (our choice)."""

    outputs: int = Field(4, ge=1)
    """Refinements averaged for each group of the main table. By default the paper's four."""

    control_groups: int = Field(1000, ge=1)
    """Groups of the controls. By default 1,000 (our choice: intervals of about 2 points)."""

    controls: tuple[str, ...] | None = None
    """Which controls, by name. By default all (`tts controls`)."""

    scorer_problems: int = Field(300, ge=1)
    """Problems on which scorers are compared; half of them choose one, the others measure it. By default 300 (our
    choice).
    """

    temperature: float = Field(0.6, gt=0)
    """Sampling temperature of candidates and refinements, above 0. By default the paper's."""

    top_p: float = Field(0.95, gt=0, le=1)
    """Share of the probability that tokens are drawn from, above 0 and at most 1. By default the paper's."""

    max_tokens: int = Field(320, ge=8)
    """The most new tokens of a completion. By default 320 (our choice, for the short refinements of the task)."""


class ReplicaRecipe(Section):
    """From nothing to the family and its tables."""

    seed: int = 0
    """Seed of everything that is drawn."""

    task: TaskRanges
    """What the family is trained and measured on."""

    harder: TaskRanges
    """Another distribution of problems, which no training sees."""

    tokenizer: TokenizerSettings = TokenizerSettings()
    """The vocabulary."""

    sizes: dict[str, Architecture] = Field(min_length=1)
    """The shapes of the models by name, smallest first."""

    main: str
    """The size that has every arm and helper, and ships."""

    base: BaseStage
    """The student."""

    candidates: CandidateStage
    """The student's own candidates."""

    arm: ArmStage
    """The training of the arms."""

    reward: RewardModelRecipe
    """The recipe of the reward model."""

    judge: JudgeRecipe
    """The recipe of the judge."""

    synthesizer: SynthesizerRecipe
    """The recipe of the synthesizer."""

    evaluation: EvaluationStage = EvaluationStage()
    """What is measured."""

    @model_validator(mode="after")
    def _main_is_a_size(self) -> Self:
        if self.main not in self.sizes:
            raise ValueError(f"main: {self.main!r} is not one of the sizes {', '.join(self.sizes)}")
        return self

    def arm_of(self, arm: Arm) -> HybridObjective:
        """The objective of one arm."""
        return self.arm.objective.model_copy(update={"arm": arm})
