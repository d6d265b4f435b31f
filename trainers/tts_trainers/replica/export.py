"""The family as it ships: the hybrid model, beside it those that other strategies call."""

from __future__ import annotations

import shutil
from pathlib import Path

from tts_trainers.replica.recipe import ReplicaRecipe

_WITH = ("base", "reward", "judge", "synthesizer")


def export(out: Path, recipe: ReplicaRecipe, target: Path) -> None:
    """Copy the models of the main size from `out`: the hybrid one to `target`, the others to folders below it.

    What `target` holds besides, such as a model card, stays.
    """
    folders = {"hybrid": target} | {name: target / name for name in _WITH}
    for name, folder in folders.items():
        source = out / (f"{name}-{recipe.main}" if name in ("hybrid", "base") else name)
        folder.mkdir(parents=True, exist_ok=True)
        for file in source.iterdir():
            shutil.copyfile(file, folder / file.name)
