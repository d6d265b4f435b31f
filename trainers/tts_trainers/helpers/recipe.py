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
    """How long and how fast; `steps` replaces `epochs`, and `warmup` below 1 is a share of all steps.

    An optimiser step takes `batch` rows (pairs for a reward model), `per_device` at a time. What is longer than
    `max_length` tokens, by default the model's positions, is left out and counted.
    """

    epochs: float = Field(1.0, gt=0)
    batch: int = Field(16, ge=1)
    learning_rate: float = Field(1e-5, gt=0)
    warmup: float = Field(0.05, ge=0)
    adam_beta2: float = Field(0.999, gt=0, lt=1)

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
    """What every helper's recipe has: `held_out` is the share of problems kept for the evaluation."""

    seed: int = 0
    held_out: float = Field(0.1, ge=0, lt=1)
    extractor: str = "auto"
    grader: str = "math"
    optimisation: HelperOptimisation = HelperOptimisation()
