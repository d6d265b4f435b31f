"""Answers that are not what they seem: a stream without its ending, a prompt of which a part was read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tts import Completion
from tts_backends.openai.ask import Ask
from tts_backends.openai.counts import told_prompt, told_written
from tts_backends.openai.events import DONE

_LONG_PROMPT, _CUT = 1000, 4  # tokens from which a prompt is looked at, and how much too short a count must be
_UNNAMED = (
    "the server ends its streams without a finish_reason; a completion counts as cut where its usage says so, else as "
    "whole"
)


class Endings:
    """The endings of a server's streams; `say` hears once where it never names them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._named, self._unnamed = say, False, 0

    def settle(self, answer: dict[str, Any], most: int | None) -> None:
        """Give a stream that is said to be over, and nothing more, the ending that it has had.

        Where the server names endings, one without is broken off; one that never does is taken at its word. `most` is
        the limit of tokens.
        """
        for choice in answer["choices"]:
            if choice.get("finish_reason") != DONE:
                self._named = self._named or bool(choice.get("finish_reason"))
                continue
            self._unnamed += 1
            if self._named or self._unnamed < 2:
                choice["finish_reason"] = None
                continue
            written = told_written(answer.get("usage"))
            choice["finish_reason"] = "length" if most is not None and written >= most else "stop"
            self._say(_UNNAMED)


def uncut(completion: Completion, ask: Ask, answer: dict[str, Any]) -> Completion:
    """The completion, or a failed one where the server has read a part of the prompt only."""
    told = told_prompt(answer.get("usage"))
    if not told or ask.estimated < _LONG_PROMPT or told * _CUT > ask.estimated:
        return completion
    why = (
        f"the server has read {told:,} tokens of a prompt of about {ask.estimated:,}: it cuts what is longer than "
        "its context without a word; start it with a longer one (Ollama: OLLAMA_CONTEXT_LENGTH), or shorten the "
        "prompt"
    )
    return Completion(index=completion.index, text="", finish_reason="error", usage=completion.usage, error=why)
