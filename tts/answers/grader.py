"""The mathematical grader."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tts.answers.shared import hold


class MathGrader:
    """Implements `tts.Grader` over the answers service."""

    def __init__(self) -> None:
        self._held = hold(self)

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """One verdict per (gold, answer)."""
        return await self._held.answers.grade_many(pairs)

    async def aclose(self) -> None:
        """End the worker processes, unless somebody else needs them."""
        await asyncio.to_thread(self._held.release)
