"""Recipes: every setting of a training run in one TOML file, checked before anything is loaded."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tts import ConfigError

Arm = Literal["direct", "refine", "hybrid"]

RecipeT = TypeVar("RecipeT", bound="Section")


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


def load_recipe(source: str | Path, model: type[RecipeT]) -> RecipeT:
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
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"recipe {str(source)!r} is not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"recipe {str(source)!r}: {_reasons(error)}") from error


def _reasons(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
