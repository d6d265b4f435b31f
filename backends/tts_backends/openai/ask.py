"""A request as it is sent, otherwise the next time where the server wants it so."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property, partial
from typing import NamedTuple

from tts import Request, Usage
from tts_backends.openai.counts import estimate
from tts_backends.openai.events import Events
from tts_backends.openai.habits import Habits
from tts_backends.openai.wire import Dialect, Wire


class Sent(NamedTuple):
    """What went to the server at one attempt: `names` are the parameters in it, `most` the most new tokens."""

    body: bytes
    names: frozenset[str]
    most: int | None


class Ask:
    """One body for all completions of a request, but for seed and number."""

    def __init__(self, request: Request, wire: Wire, dialect: Dialect, habits: Habits) -> None:
        self.request = request
        self._wire, self._dialect, self._habits = wire, dialect, habits
        self._most: int | None = None
        self._encode()
        self.streams: dict[int, Events] = {}
        self.under_way: set[int] = set()  # what has been sent, and is not answered yet
        self.prompt_tokens = 0
        self.first: str | None = None  # the text that came first

    def _encode(self) -> None:
        self._version = self._habits.version
        body = self._wire.body(self.request, self._dialect, self._habits, self._most)
        self._sent = Sent(json.dumps(body).encode()[:-1], frozenset(body), body.get(self._habits.limit))

    def limit(self, most: int) -> None:
        """Ask for at most so many new tokens from now on."""
        self._most = most
        self._encode()

    @cached_property
    def estimated(self) -> int:
        """About how many tokens the prompt has."""
        return estimate(self.prompt)

    @cached_property
    def prompt(self) -> str:
        """All of the prompt's text."""
        return "".join(message.content for message in self.request.messages)

    def sent(self, indices: tuple[int, ...]) -> Sent:
        """The body for these completions; a seed belongs to one, so several that share a request have none.

        Servers differ in how long a seed may be: all take 31 bits.
        """
        if self._version != self._habits.version:
            self._encode()
        body, names, most = self._sent
        if len(indices) > 1 and not self._habits.drops("n"):
            return Sent(body + b', "n": %d}' % len(indices), names | {"n"}, most)
        if self._dialect.seed and len(indices) == 1:
            return Sent(body + b', "seed": %d}' % (self.request.seeds[indices[0]] & 0x7FFFFFFF), names | {"seed"}, most)
        return Sent(body + b"}", names, most)

    def telling(self, indices: tuple[int, ...]) -> Callable[[str], None] | None:
        """Who hears what is written of a completion; nobody at another attempt, which would say it again."""
        tell = self.request.on_text
        if tell is None or len(indices) > 1 or indices[0] in self.streams:
            return None
        return partial(tell, indices[0])

    def cut_short(self, usage: Usage) -> None:
        """Tell what an attempt has cost that brought nothing."""
        self.request.on_cancelled(usage.model_copy(update={"cancelled": 1}))
