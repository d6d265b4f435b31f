"""The replica's recipe: every setting of the family of small models in one TOML file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tts_trainers.helpers.judge import JudgeRecipe
from tts_trainers.helpers.reward_model import RewardModelRecipe
from tts_trainers.helpers.synthesizer import SynthesizerRecipe
from tts_trainers.recipe import Arm, HybridObjective, Section

Range = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class Optimisation(Section):
    """How long and how fast one stage learns; an optimiser step is `batch` rows times `accumulate`."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    accumulate: int = Field(1, ge=1)
    learning_rate: float = Field(gt=0)
    schedule: Literal["constant_with_warmup", "cosine", "linear", "warmup_stable_decay"] = "cosine"
    warmup_steps: int = Field(0, ge=0)
    decay_steps: int = Field(0, ge=0)  # the end of warmup_stable_decay
    weight_decay: float = Field(0.01, ge=0)
    adam_beta2: float = Field(0.98, gt=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0)
    length_window: int = Field(16, ge=1)  # batches sorted by length together; 1 sorts nothing
    bf16: bool = False
    save_steps: int | None = Field(None, ge=1)  # checkpoints on the way, to see where a student should stop


class TaskRanges(Section):
    """Problems of the `sums` task, as its fields name them."""

    terms: Range
    left: Range
    right: Range

    def reference(self, *, size: int, seed: int, split: str) -> str:
        """The problems as a source that `tts.run` reads."""
        ranges = ",".join(f"{name}={low}-{high}" for name, (low, high) in self)
        return f"task:sums@size={size},seed={seed},split={split},{ranges}"


class Architecture(Section):
    """Shape of a model; `head_size` is one that vLLM and SGLang accept."""

    layers: int = Field(ge=1)
    width: int = Field(ge=8)
    heads: int = Field(ge=1)
    head_size: int = 64
    feed_forward: int = Field(ge=8)
    base_steps: int | None = Field(None, ge=1)  # of its own, where the model learns later than the others


class TokenizerSettings(Section):
    """The vocabulary that all sizes share."""

    context: int = Field(2048, ge=64)
    vocab: int = Field(720, ge=270)


class BaseStage(Section):
    """The student: direct SFT on worked solutions, stopped at intermediate skill."""

    problems: int = Field(ge=1)
    optimisation: Optimisation

    def optimisation_of(self, shape: Architecture) -> Optimisation:
        """The optimisation of one size."""
        if shape.base_steps is None:
            return self.optimisation
        return self.optimisation.model_copy(update={"steps": shape.base_steps})


class CandidateStage(Section):
    """The student's own candidates, and which of them a refine prompt shows (arXiv 2509.00084, section 3.2)."""

    problems: int = Field(ge=1)
    sampled: int = Field(6, ge=1)
    shown: tuple[Annotated[int, Field(ge=1)], ...] = (4,)  # one of these at random for each prompt
    prompts: int = Field(1, ge=1)  # refine prompts made of one problem's candidates, each with its own choice
    temperature: float = Field(1.0, gt=0)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(128, ge=8)
    # Largest share of rows whose shown candidates are all correct: they teach to copy, and little else.
    all_correct_share: float = Field(0.25, ge=0, le=1)

    @model_validator(mode="after")
    def _enough_to_choose_from(self) -> Self:
        if max(self.shown) > self.sampled:
            raise ValueError(f"shown ({max(self.shown)}) candidates are chosen from {self.sampled}; sample more")
        return self


class ArmStage(Section):
    """Training of the student on direct rows, refine rows or both: the arms of the paper's Table 2.

    `optimisation` is that of the hybrid arm, whose steps hold micro-batches of both kinds in equal number. The others
    leave out one kind: they see the same number of rows of their own kind in the same number of steps. (The paper's
    arms have equal rows in all, so its single arms see twice as many of their kind.)
    """

    direct_problems: int = Field(ge=1)
    objective: HybridObjective = HybridObjective()
    optimisation: Optimisation

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

    groups: int = Field(1000, ge=1)  # the main table
    arm_groups: int = Field(500, ge=1)  # each arm, each size, each k, the harder problems
    k: int = Field(4, ge=1)
    ks: tuple[int, ...] = (2, 4, 6, 8, 10)
    outputs: int = Field(4, ge=1)  # refinements averaged for each group of the main table (the paper's 4)
    temperature: float = Field(0.6, gt=0)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(320, ge=8)


class ReplicaRecipe(Section):
    """From nothing to the family and its tables."""

    seed: int = 0
    task: TaskRanges
    harder: TaskRanges  # another distribution than `task`
    tokenizer: TokenizerSettings = TokenizerSettings()
    sizes: dict[str, Architecture] = Field(min_length=1)  # smallest first
    main: str  # the size that has every arm and helper, and ships
    base: BaseStage
    candidates: CandidateStage
    arm: ArmStage
    reward: RewardModelRecipe
    judge: JudgeRecipe
    synthesizer: SynthesizerRecipe
    evaluation: EvaluationStage = EvaluationStage()

    @model_validator(mode="after")
    def _main_is_a_size(self) -> Self:
        if self.main not in self.sizes:
            raise ValueError(f"main: {self.main!r} is not one of the sizes {', '.join(self.sizes)}")
        return self

    def arm_of(self, arm: Arm) -> HybridObjective:
        """The objective of one arm."""
        return self.arm.objective.model_copy(update={"arm": arm})
