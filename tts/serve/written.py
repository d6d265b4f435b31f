"""How an interface writes a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tts.serve.gateway import Answered


class Written(NamedTuple):
    """What an event of progress is, what an answer or an error is, how the stream ends.

    `named` says that each event has its `type` as its name.
    """

    progress: Callable[[str], dict[str, Any]]
    answer: Callable[[Answered], Iterable[dict[str, Any]]]
    error: Callable[[dict[str, Any]], dict[str, Any]]
    end: bytes
    named: bool = False
