"""The mathematical grader."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from tts.answers.expectation import expected
from tts.answers.shared import hold

_log = logging.getLogger("tts.answers")


class MathGrader:
    """Implements `tts.Grader` over the answers service."""

    def __init__(self) -> None:
        self._held = hold(self)

    async def grade(self, pairs: Sequence[tuple[str, str | None]], problems: Sequence[str] | None = None) -> list[bool]:
        """One verdict per (gold, answer), under what the text of its problem asks for.

        What is undecided at the limits of time and memory is wrong; a line of the log says how often that was.
        """
        asked = None if problems is None else [expected(problem) for problem in problems]
        verdicts = await self._held.answers.judge_many(pairs, asked)
        undecided = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is None]
        if undecided:
            gold, answer = undecided[0]
            _log.warning(
                "%d of %d answers could not be compared within the limits and count as wrong, such as %.60r to %.60r",
                len(undecided), len(pairs), answer, gold,
            )  # fmt: skip
        return [bool(verdict) for verdict in verdicts]

    async def aclose(self) -> None:
        """End the worker processes, unless somebody else needs them."""
        await asyncio.to_thread(self._held.release)
