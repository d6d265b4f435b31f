"""Refusals by chance: a server that is too busy now and then, whatever one client asks of it.

A limit that was found is kept: who goes slower than it is not refused. So a server that goes on refusing one request
here and there, however slow it is asked, has no limit that one could keep; going slower still would only never end. It
is believed then that so many requests fail by chance, until clearly more do.
"""

from __future__ import annotations

from collections import deque

_EVIDENCE = 8  # that a limit does not explain the refusals: then chance does; twice as much each time that was wrong
_SLOWER = 0.75  # of a rate that was refused: below it a limit would have been kept
_LATEST, _ENOUGH = 40, 20  # outcomes that tell whether more fail than by chance


class Accidents:
    """What speaks for chance, in the refusals of one server."""

    def __init__(self) -> None:
        self.share: float | None = None  # of requests that fail by chance, where that is believed
        self._evidence, self._wanted = 0, _EVIDENCE
        self._level = 0.0  # a rate, or how many at once, that was refused; with it slower ones are compared
        self._kept = 0  # went well since the last refusal that was learnt from
        self._taken = self._refused = 0
        self._latest = deque[bool](maxlen=_LATEST)

    def went_well(self) -> None:
        """A request was answered."""
        self._kept += 1
        self._taken += 1
        self._latest.append(False)

    def refused(self) -> bool:
        """A request was refused; whether that is to be taken for chance, and to be learnt nothing from."""
        self._refused += 1
        self._latest.append(True)
        if self.share is None:
            return False
        most = (1 + self.share) / 2  # of a limit that is not kept hardly anything goes well
        if len(self._latest) < _ENOUGH or sum(self._latest) <= most * len(self._latest):
            return True
        self.share, self._wanted = None, 2 * self._wanted
        self._start_again()
        return False

    def at_rate(self, rate: float, *, raised: bool) -> None:
        """One was refused at such a rate, which was kept, and had been raised since it was found."""
        self._compare(rate, 0 if raised else 1)

    def at_once(self, ceiling: float) -> None:
        """One was refused at as many at once as were known to be taken."""
        self._compare(ceiling, 0)

    def _compare(self, level: float, else_: int) -> None:
        slower = level < _SLOWER * self._level
        self._level = level if slower else max(self._level, level)
        if self._kept:
            self._evidence = max(0, self._evidence + (2 if slower else else_ or -1))
        self._kept = 0
        if self._evidence >= self._wanted:
            share = self._refused / (self._refused + self._taken)
            self._start_again()
            self.share = share

    def _start_again(self) -> None:
        self._evidence, self._level = 0, 0.0
        self._taken = self._refused = 0
        self._latest.clear()
