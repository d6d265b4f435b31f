"""One server of a model as an event loop sees it."""

from __future__ import annotations

import re
from typing import NamedTuple, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import yarl

from tts import BackendError
from tts_backends.openai.pace import Pace

_PAGE = re.compile(r"/(?:chat/completions|completions|models|responses|embeddings)/*$")  # of the interface, as pasted


class Address(NamedTuple):
    """Where a server is, without a slash at the end, the proxy before it, and the query that every request has."""

    base: str
    proxy: str | None
    query: str = ""

    @property
    def origin(self) -> str:
        """The address as it may be told: without what stands after a question mark, which may be a key."""
        return re.split("[?#]", self.base)[0]

    @classmethod
    def of(cls, written: str, proxy: str | None) -> Self:
        """Of an address as it is pasted, with the proxy that the environment names for this host, where none is given.

        What is asked for at the address is known without it, so `/chat/completions` at its end is left out.
        """
        parts = urlsplit(written)
        if proxy is None and not proxy_bypass(parts.hostname or ""):
            proxy = getproxies().get(parts.scheme)
        path = _PAGE.sub("", parts.path).rstrip("/")
        return cls(f"{parts.scheme}://{parts.netloc}{path}", proxy, parts.query)


class Remembered:
    """What is known of servers from one event loop to the next: how far away they are, what asking them cost."""

    def __init__(self) -> None:
        self.away: dict[Address, float] = {}  # seconds to each and back
        self.listed: set[Address] = set()  # those that have told their models
        self.greeted = 0  # requests that were made only to see whether one is there


class Greeting(NamedTuple):
    """The smallest real request: where it goes, and what it says."""

    path: str
    body: bytes


class Server:
    """One server as this loop sees it; `failures` counts those since its last answer."""

    def __init__(self, address: Address, pace: Pace | None = None) -> None:
        self.address, self.pace = address, pace or Pace()
        self.in_flight = self.failures = 0
        self.up = True
        self.over: BackendError | None = None  # why it gives nothing more in this run
        self.doubtful_until = 0.0
        self.answers = 0  # so far
        self.told_at = float("-inf")  # when a line was last written about its limit
        self._urls: dict[str, yarl.URL] = {}

    def url(self, path: str) -> yarl.URL:
        """The address of a part of the interface, taken apart once."""
        if path not in self._urls:
            query = f"{'&' if '?' in path else '?'}{self.address.query}" if self.address.query else ""
            self._urls[path] = yarl.URL(self.address.base + path + query)
        return self._urls[path]

    def load(self, now: float) -> int:
        """How full it counts as being."""
        return (self.in_flight + 1) << (min(self.failures, 6) if now < self.doubtful_until else 0)
