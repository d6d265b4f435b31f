"""Where the thinking of a response ends."""

from __future__ import annotations

from typing import NamedTuple


class Split(NamedTuple):
    """The two parts of a response.

    `thinking` is `None` where there is no think block, `summary` where the block was never closed.
    """

    thinking: str | None
    summary: str | None


def split_thinking(text: str, open: str = "<think>", close: str = "</think>", opened: bool = False) -> Split:  # noqa: A002 - the tags' own names
    """The part inside the think block and the visible part, both stripped; without a block the text is all visible.

    `opened` says that the prompt ended inside the block, so that the text starts in it; a text with only the closing
    tag (DeepSeek-R1 behind a server) is read so anyway. The last closing tag counts: a model that goes on thinking
    after the first has not answered yet.
    """
    body, found, after = text.rpartition(close)
    start = text.lstrip()
    if not found:
        inside = opened or start.startswith(open)
        return Split(start.removeprefix(open).strip(), None) if inside else Split(None, text)
    before, tag, thinking = body.partition(open)
    if opened or not tag or close in before:
        return Split(body.lstrip().removeprefix(open).strip(), after.strip())
    return Split(thinking.strip(), (before + after).strip())
