"""What one server wants otherwise than the interface has it, as its refusals teach us."""

from __future__ import annotations

from typing import Literal

Limit = Literal["max_tokens", "max_completion_tokens"]
DROPPED = {"temperature", "top_p", "top_k", "min_p", "stream_options", "top_logprobs", "n"}
"""What is left out where it is refused; the rest of what a request says is not ours to leave out."""


_DRAWN = {"temperature", "top_p", "top_k", "min_p"}  # of these, what changes the distribution


class Habits:
    """What is left out of requests, with the server's words, and its name for the most new tokens.

    `version` changes with them.
    """

    def __init__(self, limit: Limit = "max_tokens") -> None:
        self.limit: Limit = limit
        self.version = 0
        self.refused: dict[str, str] = {}

    def drops(self, name: str) -> bool:
        """Whether this is not sent any more."""
        return name in self.refused

    def undrawn(self, sent: frozenset[str]) -> tuple[str, ...]:
        """What of the sampling a request that has sent these was drawn without."""
        return tuple(sorted(_DRAWN & self.refused.keys() - sent)) if self.refused else ()

    def learn(self, name: str, words: str) -> bool:
        """Take a refusal to heart; whether it is news that changes what is sent."""
        limits: tuple[Limit, Limit] = ("max_tokens", "max_completion_tokens")
        if name in limits:
            other = limits[1 - limits.index(name)]
            if name != self.limit:
                return False
            if not self.drops(other):
                self.limit = other
        elif name not in DROPPED or self.drops(name):
            return False
        self.refused[name] = words
        self.version += 1
        return True
