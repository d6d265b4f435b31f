"""The replica's recipe: every setting of the family in one TOML file."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from tts_trainers.recipe import HybridObjective, Optimisation, Section

Range = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class TaskRanges(Section):
    """The problems of the `sums` task, as its fields name them."""

    terms: Range
    left: Range
    right: Range


class Architecture(Section):
    """Shape of the model; `head_size` is one that vLLM and SGLang accept."""

    layers: int = Field(ge=1)
    width: int = Field(ge=8)
    heads: int = Field(ge=1)
    head_size: int = 64
    feed_forward: int = Field(ge=8)
    context: int = Field(2048, ge=64)
    vocab: int = Field(720, ge=270)


class BaseStage(Section):
    """The student: direct SFT on worked solutions, stopped at intermediate skill; each phase has a fresh optimiser."""

    problems: int = Field(ge=1)
    phases: tuple[Optimisation, ...] = Field(min_length=1)


class CandidateStage(Section):
    """The student's own candidates, and which of them a refine prompt shows (arXiv 2509.00084, section 3.2)."""

    problems: int = Field(ge=1)
    sampled: int = Field(6, ge=1)
    shown: int = Field(4, ge=1)
    temperature: float = Field(1.0, gt=0)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(128, ge=8)
    # Largest share of rows whose shown candidates are all correct: they teach to copy, and little else.
    all_correct_share: float = Field(0.25, ge=0, le=1)

    @model_validator(mode="after")
    def _enough_to_choose_from(self) -> Self:
        if self.shown > self.sampled:
            raise ValueError(f"shown ({self.shown}) candidates are chosen from sampled ({self.sampled}); sample more")
        return self


class HybridPhase(Section):
    """One run of the trainer, with a fresh optimiser."""

    objective: HybridObjective = HybridObjective()
    optimisation: Optimisation


class HybridStage(Section):
    """Hybrid SFT of the student."""

    direct_problems: int = Field(ge=0)
    phases: tuple[HybridPhase, ...] = Field(min_length=1)


class EvaluationStage(Section):
    """The table: candidates and refinement at one temperature."""

    problems: int = Field(400, ge=1)
    k: int = Field(4, ge=1)
    temperature: float = Field(0.6, gt=0)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(256, ge=8)


class MiniatureRecipe(Section):
    """From nothing to the embedded model's weights."""

    seed: int = 0
    task: TaskRanges
    model: Architecture
    base: BaseStage
    candidates: CandidateStage
    hybrid: HybridStage
    evaluation: EvaluationStage = EvaluationStage()
