"""What a reader may see of an answer that is still being written."""

from __future__ import annotations

from collections.abc import Callable

from tts.vocabulary.thinking import CLOSE, OPEN

_ODD = ("<", "[", "◁", "|", "analysis")  # how thinking begins in other dialects, which are read at the end only


class Visible:
    """Takes an answer piece by piece and hands on what stands after its thinking.

    What may yet turn out to be thinking is kept back; where that cannot be told, all of it is, and the reader gets the
    answer in one piece.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._kept = ""
        self._shown = self._after_thinking = False

    def __call__(self, piece: str) -> None:
        """Something more is written."""
        self._kept += piece
        if not self._shown:
            self._begin()
        elif self._after_thinking:
            self._hand_on()
        else:
            self._tell(piece)

    def _begin(self) -> None:
        start = self._kept.lstrip()
        if not self._after_thinking and CLOSE in start and start.startswith(OPEN):
            self._after_thinking, start = True, start.partition(CLOSE)[2].lstrip()
            self._kept = start
        if self._after_thinking:
            self._kept, self._shown = start, bool(start)
            self._hand_on()
        elif start and not start.startswith(_ODD) and not "analysis".startswith(start):
            self._shown = True
            self._tell(self._kept)

    def _hand_on(self) -> None:
        """All but white space at the end, which belongs to the answer only where more comes."""
        whole = self._kept.rstrip()
        if whole and self._shown:
            self._tell(whole)
            self._kept = self._kept[len(whole) :]
