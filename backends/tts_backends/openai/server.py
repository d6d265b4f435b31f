"""One server of a model as an event loop sees it."""

from __future__ import annotations

import re
from typing import NamedTuple, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import yarl


class Address(NamedTuple):
    """Where a server is, without a slash at the end, and the proxy before it."""

    base: str
    proxy: str | None

    @property
    def origin(self) -> str:
        """The address as it may be told: without what stands after a question mark, which may be a key."""
        return re.split("[?#]", self.base)[0]

    @classmethod
    def of(cls, base: str, proxy: str | None) -> Self:
        """With the proxy that the environment names for this host, where none is given."""
        parts = urlsplit(base)
        if proxy is None and not proxy_bypass(parts.hostname or ""):
            proxy = getproxies().get(parts.scheme)
        return cls(base.rstrip("/"), proxy)


class Server:
    """One server as this loop sees it; `failures` counts those since its last answer."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.in_flight = self.failures = 0
        self.up = True
        self.resume_at = self.doubtful_until = 0.0
        self._urls: dict[str, yarl.URL] = {}

    def url(self, path: str) -> yarl.URL:
        """The address of a part of the interface, taken apart once."""
        if path not in self._urls:
            self._urls[path] = yarl.URL(self.address.base + path)
        return self._urls[path]

    def load(self, now: float) -> int:
        """How full it counts as being."""
        return (self.in_flight + 1) << (min(self.failures, 6) if now < self.doubtful_until else 0)
