"""How an interface writes a stream."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import Any, ClassVar

from tts.serve.failure import Failure
from tts.serve.gateway import Answered


class Written(abc.ABC):
    """The events of one stream; `sent` is what of the answer has gone out."""

    end: ClassVar[bytes] = b""
    """What follows the last event."""

    named: ClassVar[bool] = False
    """Whether each event has its `type` as its name."""

    def __init__(self, request_id: str, model: str) -> None:
        self.request_id: str = request_id
        self.model: str = model
        self.sent: str = ""

    def wrote(self, text: str) -> None:
        """So much more of the answer has gone out."""
        self.sent += text

    def answered_by(self, model: str) -> None:
        """The model that answers, whatever was asked for."""
        self.model = model

    @abc.abstractmethod
    def progress(self, text: str) -> Iterable[dict[str, Any]]:
        """Something has happened before the answer."""

    @abc.abstractmethod
    def delta(self, text: str) -> Iterable[dict[str, Any]]:
        """Something more of the first choice is written."""

    @abc.abstractmethod
    def answer(self, answered: Answered) -> Iterable[dict[str, Any]]:
        """What has not gone out of the answer yet, to its end."""

    @abc.abstractmethod
    def error(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer ends with an error."""

    def rest(self, text: str) -> str:
        """What has not gone out of the first choice; raises `Failure` where that began otherwise."""
        if not text.startswith(self.sent):
            raise Failure(
                502,
                "the answer became another one after its beginning had been sent: the policy began anew, or its time "
                "was over; ask again, or without stream",
                kind="server_error",
                code="answer_changed",
            )
        return text[len(self.sent) :]
