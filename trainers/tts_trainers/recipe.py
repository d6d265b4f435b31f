"""Recipes: every setting of a training run in one TOML file, checked before anything is loaded."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tts import ConfigError

Arm = Literal["direct", "refine", "hybrid"]
Range = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class Section(BaseModel):
    """A table of a recipe: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Optimisation(Section):
    """How long and how fast one stage learns; an optimiser step is `batch` rows times `accumulate`."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    accumulate: int = Field(1, ge=1)
    learning_rate: float = Field(gt=0)
    schedule: Literal["constant_with_warmup", "cosine", "linear"] = "cosine"
    warmup_steps: int = Field(0, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    adam_beta2: float = Field(0.98, gt=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0)
    bf16: bool = False
    save_steps: int | None = Field(None, ge=1)  # checkpoints on the way, to see where a student should stop


class HybridObjective(Section):
    """The arm of the paper's Table 2 and the weighting of its two losses."""

    arm: Arm = "hybrid"
    refine_weight: float = Field(1.0, ge=0)
    normalisation: Literal["objective", "token"] = "objective"


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


def load_recipe(source: str | Path) -> MiniatureRecipe:
    """Read a recipe of ours by name (`"miniature"`) or a file by path.

    Raises `ConfigError` that names the file, the key and the reason, all of them at once.
    """
    path = Path(source)
    own = resources.files("tts_trainers").joinpath("recipes", f"{source}.toml")
    if path.suffix == "" and own.is_file():
        text = own.read_text("utf-8")
    elif path.is_file():
        text = path.read_text("utf-8")
    else:
        raise ConfigError(f"no recipe {str(source)!r}: give the path of a TOML file, or 'miniature'")
    try:
        return MiniatureRecipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"recipe {str(source)!r} is not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"recipe {str(source)!r}: {_reasons(error)}") from error


def _reasons(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
