"""The answers service that all parts of a program share: what has been compared for one of them, every other knows.

An engine, a grader and an evaluation ask about the same pairs. Workers end when nobody holds the service any more;
its verdicts stay, since they depend on the pair alone.
"""

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tts.answers._service import Answers

_service = Answers()
_holders = 0
_lock = threading.RLock()  # a holder may be collected anywhere


class Held(NamedTuple):
    """The shared service, and what its holder calls when he is done; calling it again does nothing."""

    answers: Answers
    release: Callable[[], object]


def hold(holder: object) -> Held:
    """Share the service until `release` is called or the holder is gone."""
    global _holders  # noqa: PLW0603 - one service for the program is the point
    with _lock:
        _holders += 1
    return Held(_service, weakref.finalize(holder, _release))


@contextmanager
def held() -> Iterator[Answers]:
    """Share the service within a block, or within a function that it decorates."""

    def holder() -> None: ...

    answers, release = hold(holder)
    try:
        yield answers
    finally:
        release()


def _release() -> None:
    global _holders  # noqa: PLW0603
    with _lock:
        _holders -= 1
        alone = _holders == 0
    if alone:
        _service.rest()
