"""A task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import tts


class Doubling(tts.Task):
    """Doubles of whole numbers."""

    name: ClassVar[str] = "doubling"
    size: int = 10

    def examples(self) -> Iterator[tts.Example]:
        for i in range(self.size):
            yield tts.Example(problem=tts.Problem(id=f"d{i}", prompt=f"{i}+{i}"), answer=str(2 * i))
