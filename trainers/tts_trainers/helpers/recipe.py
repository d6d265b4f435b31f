"""The settings that the training of all helpers (reward model, judge, synthesizer) shares.

The keys are those of `tts train hybrid`. Every key has a default, so a helper can be trained without a recipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from tts import ConfigError
from tts_trainers.recipe import Optimisation, Section
from tts_trainers.runtime.processes import processes


class HelperOptimisation(Optimisation):
    """How long and how fast; `steps` replaces `epochs`, and `max_length` is by default the model's positions."""

    epochs: float = Field(1.0, gt=0)
    """Passes over the rows, unless `steps` is given. By default one: a second overfits pairs (our choice)."""

    batch: int = Field(16, ge=1)
    """Rows of an optimiser step (pairs for a reward model), of all processes together. By default 16 (our choice)."""

    learning_rate: float = Field(1e-5, gt=0)
    """The highest learning rate. By default 1e-5 (our choice, careful for any size; the recipes for small models have
    2e-5).
    """

    warmup: float = Field(0.05, ge=0)
    """Over how much the learning rate rises first: below 1 a share of all steps, else steps. By default 0.05 (our
    choice).
    """

    adam_beta2: float = Field(0.999, gt=0, lt=1)
    """AdamW's decay of squared gradients, above 0 and below 1. By default torch's."""

    @property
    def micro_batch(self) -> int:
        """Rows that one process computes at a time."""
        return self.per_device or max(1, self.batch // processes())

    @property
    def needed(self) -> int:
        """The fewest rows that fill a batch of every process."""
        return self.micro_batch * processes()

    def longest(self, positions: int | None) -> int | None:
        """The most tokens that a row may have, given the model's positions; `None` for no limit.

        Raises `ConfigError` where `max_length` asks for more than the model has.
        """
        if positions is not None and self.max_length is not None and self.max_length > positions:
            raise ConfigError(
                f"optimisation.max_length = {self.max_length:,} and the model has {positions:,} positions; lower it"
            )
        return self.max_length or positions

    def config(self, kind: type[Any], out: Path, seed: int, **more: Any) -> Any:
        """TRL's settings of a `kind`, `SFTConfig` or `RewardConfig`."""
        import torch

        return kind(
            **self.arguments(processes()),
            output_dir=str(out),
            seed=seed,
            adam_beta2=self.adam_beta2,
            use_cpu=not torch.cuda.is_available(),
            logging_steps=20,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            max_length=None,
            **more,
        )


class HelperRecipe(Section):
    """What every helper's recipe has."""

    seed: int = 0
    """Seed of the split, of the pairs and of the order of rows."""

    held_out: float = Field(0.1, ge=0, lt=1)
    """Share of the problems, with all that was drawn for them, that is kept for the evaluation. By default a tenth (our
    choice).
    """

    extractor: str = "auto"
    """What finds the final answer in a candidate's visible text, by name. By default a box, else other signs of an
    answer.
    """

    grader: str = "math"
    """What compares an answer with the gold answer, by name. By default mathematical equality."""

    optimisation: HelperOptimisation = HelperOptimisation()
    """How long and how fast."""
