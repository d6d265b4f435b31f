"""What the stages of one run share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        self._far, self._since = "", 0.0  # how far the stage is, since when

    @property
    def store(self) -> Path:
        """What is sampled is kept here, whatever becomes of the stages."""
        return self.out / "store.db"

    def progress(self, what: str, done: int, total: int | None = None) -> None:
        """How far the stage is, for the next line that says so."""
        self._far = f"{done:,} {what}" if total is None else f"{done:,} of {total:,} {what}"
        self._since = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """While a stage runs, say how far it is every ten seconds, also while nothing happens."""
        self._far, self._since = f"{name}: begun", time.monotonic()
        over = threading.Event()

        def lines() -> None:
            while not over.wait(_SECONDS):
                still = time.monotonic() - self._since
                self.say(self._far if still < _SECONDS else f"{self._far}; nothing new for {still:.0f} s")

        threading.Thread(target=lines, name="tts-progress", daemon=True).start()
        try:
            yield
        finally:
            over.set()
