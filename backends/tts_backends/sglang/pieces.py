"""A streamed answer of SGLang's `/generate`, put together to the one that it would be in one piece."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tts_backends.openai.events import DONE, InStream


class Pieces:
    """What has come of a stream so far; `hear` gets all tokens as they become more.

    Servers send all tokens in each event, or those since the last one. Some leave events out where they are slow: what
    is missing then nobody sends again, and the answer is `broken`.
    """

    def __init__(self, hear: Callable[[Sequence[int]], None]) -> None:
        self._hear = hear
        self._last: dict[str, Any] | None = None
        self.tokens: list[int] = []
        self.broken = False
        self.done = False
        self.events = 0

    def feed(self, line: bytes) -> None:
        """Take one line; raises `ValueError`, `KeyError` or `TypeError` where it is damaged, `InStream` for errors."""
        if not line.startswith(b"data:") or not (data := line[5:].strip()):
            return
        if data == DONE.encode():
            self.done = True
            return
        event = json.loads(data)
        if event.get("error"):
            raise InStream(event["error"])
        self.events += 1
        self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        self._last, meta = event, event["meta_info"]
        fresh = int(meta["completion_tokens"]) - len(self.tokens)
        ids = [int(token) for token in event.get("output_ids") or ()]
        self.broken = self.broken or fresh > len(ids)
        if fresh > 0 and not self.broken:
            self.tokens += ids[-fresh:]
            self._hear(self.tokens)

    def end(self) -> None:
        """The answer is over."""

    @property
    def complete(self) -> bool:
        """Whether the completion has ended."""
        return self._last is not None and self._last["meta_info"].get("finish_reason") is not None

    def answer(self) -> dict[str, Any]:
        """The answer in one piece."""
        assert self._last is not None, "asked for a stream that has brought nothing"
        return {**self._last, "output_ids": self.tokens}
