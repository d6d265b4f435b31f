"""Recipes: every setting of a training run in one TOML file, checked before anything is loaded."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tts import ConfigError
from tts.prompts import PROMPTS_FILE

Arm = Literal["direct", "refine", "hybrid"]
Normalisation = Literal["objective", "token"]

RecipeT = TypeVar("RecipeT", bound="Section")


class Section(BaseModel):
    """A table of a recipe: unknown keys are errors, and the docstring under a key says what it means."""

    own_prefix: ClassVar[str] = ""  # of a whole recipe: what the names of ours of its kind begin with

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class HybridObjective(Section):
    """The arm of the paper's Table 2 and the weighting of its two losses."""

    arm: Arm = "hybrid"
    """Which rows are learned from: `direct`, `refine`, or both; the arms of the paper's Table 2 (arXiv 2509.00084)."""

    refine_weight: float = Field(1.0, ge=0)
    """Lambda in L = L_direct + lambda * L_selfR. The paper calls it a constant; 1 weighs both alike."""

    normalisation: Normalisation = "objective"
    """Each objective's own token mean (`objective`), or one token mean over both (`token`). The paper does not say; by
    default its own mean, so that long refinements do not outweigh short solutions (our choice).
    """


class Optimisation(Section):
    """How long and how fast a model learns: what the tables of all trainers share."""

    epochs: float | None = Field(None, gt=0)
    """Passes over the rows; a part of one is allowed."""

    steps: int | None = Field(None, ge=1)
    """Optimiser steps, in place of epochs."""

    batch: int = Field(ge=1)
    """Rows of an optimiser step, of all processes together; a multiple of `per_device`."""

    per_device: int | None = Field(None, ge=1)
    """Rows of a micro-batch on one device: memory grows with it, results do not change. By default as many as fill the
    batch at once.
    """

    learning_rate: float = Field(gt=0)
    """The highest learning rate."""

    schedule: Literal["constant", "constant_with_warmup", "cosine", "linear"] = "cosine"
    """How the learning rate runs over the steps, as transformers calls it. By default the paper's cosine (arXiv
    2509.00084).
    """

    warmup: float = Field(0.0, ge=0)
    """Over how much the learning rate rises first: below 1 a share of all steps, else steps. By default none; the
    paper's recipe has 0.1.
    """

    weight_decay: float = Field(0.0, ge=0)
    """Weight decay of the optimiser. By default none, as in transformers."""

    max_grad_norm: float = Field(1.0, gt=0)
    """Norm that gradients are clipped to. By default that of transformers."""

    max_length: int | None = Field(None, ge=16)
    """The most tokens of a row, prompt and completion together; longer rows are left out and counted."""

    gradient_checkpointing: bool = False
    """Compute activations anew in the backward pass: less memory, more time. Off by default (our choice: small models
    need none).
    """

    bf16: bool = False
    """Compute in bfloat16 while master weights stay as they are. Off by default (our choice: not every machine can)."""

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.batch % (self.per_device or self.batch):
            raise ValueError(f"batch ({self.batch}) is not a multiple of per_device ({self.per_device})")
        return self

    def accumulation(self, processes: int) -> int:
        """Micro-batches of one optimiser step.

        Raises `ConfigError` where the batch cannot be divided over the processes.
        """
        rows = self.per_device or max(1, self.batch // processes)
        if self.batch % (together := rows * processes):
            raise ConfigError(
                f"optimisation.batch = {self.batch} cannot be divided into micro-batches of optimisation.per_device = "
                f"{rows} on {processes} processes; change one of the two to make it a multiple of {together}"
            )
        return self.batch // together

    def arguments(self, processes: int) -> dict[str, Any]:
        """These settings under the names of transformers."""
        return {
            "num_train_epochs": self.epochs or 1.0,
            "max_steps": self.steps or -1,
            "per_device_train_batch_size": self.per_device or max(1, self.batch // processes),
            "gradient_accumulation_steps": self.accumulation(processes),
            "learning_rate": self.learning_rate,
            "lr_scheduler_type": self.schedule,
            "warmup_steps": self.warmup,
            "weight_decay": self.weight_decay,
            "max_grad_norm": self.max_grad_norm,
            "activation_checkpointing": self.gradient_checkpointing,
            "bf16": self.bf16,
        }


def load_recipe(source: str | Path, model: type[RecipeT], changes: Iterable[str] = ()) -> RecipeT:
    """Read a recipe of ours by name (`"gsr-cpu"`) or a file by path; `changes` are `table.key=value` (TOML values).

    Raises `ConfigError` that names the file, the key and the reason, all of them at once; below it stand the keys of a
    table that has no such key, with their meaning.
    """
    try:
        settings = tomllib.loads(_text(source, model.own_prefix))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe {str(source)!r} is not TOML: {error}") from error
    changes = list(changes)
    if (Path(source).parent / PROMPTS_FILE).is_file():
        _refuse_code(source, settings, {change.partition("=")[0].strip() for change in changes})
    for change in changes:
        _apply(settings, change)
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise _refused(source, error, model) from error


def _refuse_code(source: str | Path, settings: dict[str, Any], given: set[str], place: str = "") -> None:
    """Raise `ConfigError` where a checkpoint's recipe, which is data, names code, unless it is `given` in the call."""
    for name, value in settings.items():
        key = f"{place}{name}"
        if isinstance(value, dict):
            _refuse_code(source, value, given, f"{key}.")
        elif name in ("grader", "extractor") and ":" in str(value) and key not in given:
            raise ConfigError(
                f"recipe {str(source)!r}: {key} = {value!r} names code, which a recipe that comes with a checkpoint "
                f"cannot; where you trust it, give {key}={value} yourself"
            )


def _refused(source: str | Path, error: ValidationError, model: type[BaseModel]) -> ConfigError:
    found = ConfigError(f"recipe {str(source)!r}: {_reasons(error, model)}")
    for where in dict.fromkeys(one["loc"][:-1] for one in error.errors() if one["type"] == "extra_forbidden"):
        section = _section_at(model, where)
        for name, field in section.model_fields.items() if section is not None else ():
            found.add_note(f"  {'.'.join(map(str, (*where, name)))}: {field.description}")
    return found


def _text(source: str | Path, prefix: str) -> str:
    path, known = Path(source), own_recipes(prefix)
    if str(source) in known:
        return resources.files("tts_trainers").joinpath("recipes", f"{source}.toml").read_text("utf-8")
    if path.is_file():
        return path.read_text("utf-8")
    near = _nearest(str(source), known)
    raise ConfigError(f"no recipe {str(source)!r}: give the path of a TOML file, or one of ours{near}")


def own_recipes(prefix: str = "") -> list[str]:
    """The names of the recipes that come with the package, those of one kind by the prefix of its class."""
    files = [file.name for file in resources.files("tts_trainers").joinpath("recipes").iterdir()]
    return sorted(name.removesuffix(".toml") for name in files if name.startswith(prefix) and name.endswith(".toml"))


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(Path(name).stem if name.endswith(".toml") else name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f": {', '.join(known)}"


def _apply(settings: dict[str, Any], change: str) -> None:
    """Set one key; what is no TOML value is taken as text, so that names need no quotes."""
    key, equals, text = change.partition("=")
    *tables, name = key.strip().split(".")
    if not equals or not all([*tables, name]):
        raise ConfigError(f"{change!r} is not table.key=value, e.g. optimisation.learning_rate=1e-4")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    table = settings
    for part in tables:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{change!r}: {part!r} is not a table of the recipe")
    table[name] = value


def _reasons(error: ValidationError, model: type[BaseModel]) -> str:
    return "; ".join(_reason(e["type"], e["loc"], e["msg"], model) for e in error.errors())


def _reason(kind: str, where: tuple[int | str, ...], message: str, model: type[BaseModel]) -> str:
    place = ".".join(map(str, where)) or "recipe"
    if kind != "extra_forbidden":
        return f"{place}: {message.removeprefix('Value error, ')}"
    section = _section_at(model, where[:-1])
    known = sorted(section.model_fields) if section is not None else []
    near = difflib.get_close_matches(str(where[-1]), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return f"{place}: there is no such key; {hint}"


def _section_at(model: type[BaseModel], where: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The section that a path of keys leads to; positions of lists and names of mappings lead into their section."""
    annotation: Any = model
    for part in where:
        section = _section_in(annotation)
        if section is not None and part in section.model_fields:
            annotation = section.model_fields[str(part)].annotation
    return _section_in(annotation)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section inside an annotation such as `Section | None` or `tuple[Section, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)
