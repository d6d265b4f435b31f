"""How often a run learns from the rows of each objective."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.rows import OBJECTIVES, Objective

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger("tts.train")

MANY = 1.5  # passes in an epoch above which a row is repeated so often that it is told


class Passes(NamedTuple):
    """What one objective gives to an epoch, after rows that are too long were left out.

    `targets` are tokens, `thinking` is a share of the rows, `per_epoch` how often each row is learned from.
    """

    objective: Objective
    rows: int
    left_out: int
    targets: int
    thinking: float
    per_epoch: float

    def line(self, epochs: float) -> str:
        """All of it in one line, for a run of so many epochs."""
        cut = f" ({self.left_out:,} more are too long)" if self.left_out else ""
        passes = f"{self.per_epoch:.2f} passes an epoch, {self.per_epoch * epochs:.1f} in all"
        return (
            f"{self.objective}: {self.rows:,} rows{cut}, {self.targets:,} target tokens, {self.thinking:.0%} of the "
            f"rows with thinking; {passes}"
        )


def passes(train: Dataset, before: Mapping[Objective, int], recipe: HybridRecipe, together: int) -> list[Passes]:
    """Of each objective that is trained; `before` counts rows before any was left out.

    `together` is how many rows all processes learn from at a time.
    """
    objectives, targets, thinks = train["objective"][:], train["targets"][:], train["thinks"][:]
    rows = Counter(objectives)
    tokens, thinking = Counter[str](), Counter[str]()
    for objective, count, thought in zip(objectives, targets, thinks, strict=True):
        tokens[objective] += count
        thinking[objective] += thought
    turns = max(1, *(count // together for count in rows.values())) * together
    repeats = recipe.optimisation.order == "alternate" and not recipe.optimisation.packing
    return [
        Passes(
            one, rows[one], before.get(one, 0) - rows[one], tokens[one], thinking[one] / rows[one],
            turns / rows[one] if repeats else 1.0,
        )
        for one in OBJECTIVES if rows[one]
    ]  # fmt: skip


def epochs(found: list[Passes], recipe: HybridRecipe) -> float:
    """Epochs of the run, where the recipe gives steps instead."""
    optimisation = recipe.optimisation
    if optimisation.epochs is not None:
        return optimisation.epochs
    assert optimisation.steps is not None, "a recipe has one of the two"
    return optimisation.steps * optimisation.batch / sum(one.rows * one.per_epoch for one in found)


def warn(found: list[Passes]) -> None:
    """Tell what is repeated much, and what thinks where the other does not."""
    for one in found:
        if one.per_epoch > MANY:
            log.warning(
                "%s rows are learned from %.1f times an epoch, because objectives take turns and there are fewer of "
                "them; give more of them, or set optimisation.order = 'shuffle'",
                one.objective, one.per_epoch,
            )  # fmt: skip
    thinking = [one for one in found if one.thinking > 0.5]
    plain = [one for one in found if one.thinking <= 0.5]
    if thinking and plain:
        log.warning(
            "%.0f %% of the %s rows think and %.0f %% of the %s rows: which of the two is asked for decides whether "
            "the model thinks",
            100 * thinking[0].thinking, thinking[0].objective, 100 * plain[0].thinking, plain[0].objective,
        )  # fmt: skip
