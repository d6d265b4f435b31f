"""Who reads an answer while it is written."""

from __future__ import annotations

from collections.abc import Callable

from tts.output.visible import Visible
from tts.vocabulary.records import Result
from tts.vocabulary.thinking import split_thinking

OnText = Callable[[str], None]


def visible_text(result: Result) -> str:
    """What a reader sees of an answer."""
    return split_thinking(result.text).summary or result.text


class Reader:
    """Hands on what a reader may see of the answer; an error of who reads ends the reading, and is raised by `end`."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text, self._said = on_text, ""
        self._failure: Exception | None = None
        self._visible = Visible(self._say)

    def __call__(self, piece: str) -> None:
        """So much more of the answer is written."""
        self._visible(piece)

    def end(self, result: Result) -> None:
        """What has not been told of the answer is; nothing where it has become another one."""
        text = visible_text(result)
        if text.startswith(self._said):
            self._say(text[len(self._said) :])
        if self._failure is not None:
            raise self._failure

    def _say(self, text: str) -> None:
        if text and self._failure is None:
            self._said += text
            try:
                self._on_text(text)
            except Exception as error:  # where a backend is at work nobody could hear of it
                self._failure = error
