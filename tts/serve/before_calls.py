"""What may be read of an answer that may end with calls of tools."""

from __future__ import annotations

from collections.abc import Callable

from tts.vocabulary.tool_calls import OPEN


class BeforeCalls:
    """Takes a text piece by piece and hands on what no call can begin in.

    White space at the end is kept back with it: before a call it is none of the answer.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._kept = ""

    def __call__(self, piece: str) -> None:
        """Something more is written."""
        self._kept += piece
        free = self._kept[: _call_in(self._kept)].rstrip()
        if free:
            self._kept = self._kept[len(free) :]
            self._tell(free)


def _call_in(text: str) -> int:
    """Where a call begins, or may begin once more is written; else the end."""
    found = text.find(OPEN)
    halves = (len(text) - size for size in range(len(OPEN) - 1, 0, -1) if text.endswith(OPEN[:size]))
    return found if found >= 0 else next(halves, len(text))
