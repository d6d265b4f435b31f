"""What the stages of one run share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tts_trainers.data.lost import Lost
from tts_trainers.data.recipe import DataRecipe
from tts_trainers.data.workfile import WorkFile

_SECONDS = 10.0  # between two lines of progress


class Run:
    """One run of the pipeline: recipe, output folder, work file, and who is told of progress."""

    def __init__(self, recipe: DataRecipe, out: Path, work: WorkFile, say: Callable[[str], None]) -> None:
        self.recipe, self.out, self.work, self.say = recipe, out, work, say
        self.lost: Lost = Lost()
        self._said = time.monotonic()

    @property
    def store(self) -> Path:
        """What is sampled is kept here, whatever becomes of the stages."""
        return self.out / "store.db"

    def progress(self, what: str, done: int, total: int | None = None) -> None:
        """Say how far a stage is, now and then."""
        if time.monotonic() - self._said >= _SECONDS:
            self._said = time.monotonic()
            self.say(f"{done:,} {what}" if total is None else f"{done:,} of {total:,} {what}")
