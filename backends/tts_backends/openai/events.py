"""Server-sent events of one streamed completion, put together to the answer that it would be in one piece."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from tts_backends.openai.forms import Said, said
from tts_backends.openai.tools import ToolCalls

DONE = "[DONE]"
"""The finish reason of a stream that is said to be over, and whose completion was never said to have ended."""


class InStream(ValueError):  # noqa: N818 - it is what a stream says, and becomes the request's trouble
    """An error that stands in a stream; `told` is what it says."""

    def __init__(self, told: Any) -> None:
        super().__init__(f"the stream says {told}")
        self.told = told


class Gathering(Protocol):
    """What a streamed answer is gathered in.

    `events` counts what has come, `done` says that the stream is said to be over, `complete` that the completion is.
    """

    events: int
    done: bool

    @property
    def complete(self) -> bool:
        """Whether the completion is whole, whatever the server still has to say."""

    def feed(self, line: bytes) -> None:
        """Take one line; raises `ValueError`, `KeyError` or `TypeError` where it is damaged, `InStream` for errors."""

    def end(self) -> None:
        """The answer is over; raises as `feed` does."""

    def answer(self) -> dict[str, Any]:
        """The answer in one piece."""


class Events:
    """What has come of a stream so far; `api` is "chat" or "completions"."""

    def __init__(
        self, api: str, tell: Callable[[str], None] | None = None, markers: tuple[str, str] = ("", "")
    ) -> None:
        self._chat = api == "chat"
        self._tell, self._markers = tell, markers
        self.texts: dict[str, list[str]] = {}
        self._calls = ToolCalls()
        self._logprobs: list[Any] = []
        self._finish: str | None = None
        self._error: Any = None
        self._usage: dict[str, Any] | None = None
        self._told: Any = None  # of what made it
        self._piece: dict[str, Any] | None = None
        self._lines: list[bytes] = []  # of an answer that is no stream
        self._begun: list[bytes] = []  # of an event that goes over several lines
        self.done = False
        self.events = 0

    def feed(self, line: bytes) -> None:
        """Take one line; raises `ValueError`, `KeyError` or `TypeError` where it is damaged, `InStream` for errors."""
        if not line.startswith(b"data:"):
            if self._begun and not line.strip():
                self._whole_event()
            elif not (self.events or self._begun or line.startswith((b":", b"event:", b"id:", b"retry:"))):
                self._lines.append(line)
            return
        data = line[5:].strip()
        if data == DONE.encode():
            self.done = True
            return
        if self._begun:
            self._begun.append(data)
        elif data:
            self._event(data)

    def _event(self, data: bytes) -> None:
        """Take the event of one line, or keep the line: the rest may be in those that follow."""
        try:
            event = json.loads(data)
        except ValueError:
            self._begun.append(data)
        else:
            self.take(event)

    def _whole_event(self) -> None:
        """Take the event whose lines are all there."""
        lines, self._begun = self._begun, []
        self.take(json.loads(b"\n".join(lines)))

    def take(self, event: dict[str, Any]) -> None:
        """Take one event; those that bring no choice are about other things."""
        self.events += 1
        if event.get("error") or event.get("object") == "error":
            raise InStream(event.get("error") or event)
        self._usage = event.get("usage") or self._usage
        self._told = event.get("system_fingerprint") or self._told
        for choice in event.get("choices") or ():
            self._add(choice)

    def end(self) -> None:
        """The answer is over; one that came in one piece is read now. Raises as `feed` does."""
        if self._begun:
            self._whole_event()
        if self.events or not (text := b"\n".join(self._lines).strip()):
            return
        found = json.loads(text)
        if found.get("error") or "choices" not in found:
            raise InStream(found.get("error") or found)
        self._piece = found

    def _add(self, choice: dict[str, Any]) -> None:
        self._finish = choice.get("finish_reason") or self._finish
        self._error = choice.get("error") or self._error
        if self._chat:
            delta = choice.get("delta") or {}
            if not (delta or self.texts or self._calls.message):  # some send the whole message at the end
                delta = choice.get("message") or {}
            piece = said(delta)
            self._calls.take(delta)
        else:
            piece = Said(choice.get("text"), None, None)
        self._pass_on(piece)
        for name, text in zip(("content", "reasoning_content", "refusal"), piece, strict=True):
            if text:
                self.texts.setdefault(name, []).append(text)
        logprobs = choice.get("logprobs") or {}
        self._logprobs += logprobs.get("content") or logprobs.get("token_logprobs") or ()

    def _pass_on(self, piece: Said) -> None:
        """Tell what is new of the text, reasoning between its markers, as the completion will have it."""
        if self._tell is None:
            return
        content, reasoning, _ = piece
        if (content and reasoning) or (reasoning and "content" in self.texts) or not _whole(content, reasoning):
            self._tell = None  # the completion will have it in another order, or mended: no more is told
            return
        opening, closing = self._markers
        if reasoning:
            self._tell(reasoning if "reasoning_content" in self.texts else opening + reasoning)
        elif content:
            after = "reasoning_content" in self.texts and "content" not in self.texts
            self._tell(closing + content if after else content)

    @property
    def complete(self) -> bool:
        """Whether the completion is whole, whatever the server still has to say."""
        whole = self.done and bool(self.texts or self._calls.message)
        return self._finish is not None or self._piece is not None or whole

    def tokens(self) -> int:
        """About how many tokens have come: servers send one in each event, or a few."""
        return sum(len(pieces) for pieces in self.texts.values()) + self._calls.pieces

    def answer(self) -> dict[str, Any]:
        """The answer in one piece."""
        if self._piece is not None:
            return self._piece
        message = {name: "".join(pieces) for name, pieces in self.texts.items()}
        finish = self._finish or (DONE if self.done else None)
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish, "error": self._error}
        if self._chat:
            choice |= {"message": message | self._calls.message, "logprobs": {"content": self._logprobs or None}}
        else:
            choice |= {"text": message.get("content", ""), "logprobs": {"token_logprobs": self._logprobs or None}}
        return {"choices": [choice], "usage": self._usage, "system_fingerprint": self._told}


def _whole(*texts: str | None) -> bool:
    """Whether no character of theirs is halved."""
    return not any("\ud800" <= one <= "\udfff" for text in texts if text and not text.isascii() for one in text)
