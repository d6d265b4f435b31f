"""The servers of one model, whichever event loop asks, with requests that are repeated until they succeed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from tts import BackendError
from tts_backends.openai.access import Access
from tts_backends.openai.errors import Trouble
from tts_backends.openai.link import Link, open_link
from tts_backends.openai.server import Address, Greeting, Remembered, Server
from tts_backends.openai.session import Limits
from tts_backends.openai.waiting import PATIENCE

T = TypeVar("T")

_BACKOFF_FIRST, _BACKOFF_MOST = 0.25, 30.0  # seconds


class Pool:
    """One server or several; `kind` names the backend in errors, `retries` bounds how often a request is repeated.

    `greeting` asks a server that tells no models whether it is there.
    """

    def __init__(
        self,
        kind: str,
        addresses: Sequence[Address],
        access: Access,
        limits: Limits,
        retries: int,
        greeting: Greeting | None = None,
    ) -> None:
        self.addresses = addresses
        self._kind, self._access, self._limits, self._retries = kind, access, limits, retries
        self._opened: dict[asyncio.AbstractEventLoop, _Opened] = {}
        self._greeting, self.known = greeting, Remembered()
        self._closed = False

    async def link(self) -> Link:
        """The link of this event loop."""
        self._refuse_closed()
        loop = asyncio.get_running_loop()
        opened = self._opened.get(loop)
        if opened is None:
            for ended in [other for other in list(self._opened) if other.is_closed()]:
                self._opened.pop(ended, None)
            opening = open_link(self.addresses, self._access, self._limits, self.known, self._greeting)
            opened = self._opened[loop] = _Opened(await anext(opening), opening)
        return opened.link

    @property
    def limited(self) -> str:
        """The limits that servers have now, as learnt, in words; empty where there are none."""
        servers = [server for opened in list(self._opened.values()) for server in opened.link.servers]
        told = {server.address.origin: server.pace.words for server in servers if server.pace.words}
        where = len(self.addresses) > 1
        return ", ".join(f"limited to {words}{f' by {origin}' if where else ''}" for origin, words in told.items())

    async def release(self) -> None:
        """Close the link of this event loop, where there is one; the next request opens another."""
        opened = self._opened.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            await opened.opening.aclose()

    async def aclose(self) -> None:
        """Close the connections of this event loop, and open no more; those of others close with their loop."""
        self._closed = True
        await self.release()

    async def persist(
        self,
        link: Link,
        once: Callable[[Server], Awaitable[T]],
        refit: Callable[[Trouble], bool],
        priority: int = 0,
        first: Server | None = None,
    ) -> T:
        """What `once` brings, after as many attempts as it takes; the first one at `first`, where that is there.

        `refit` makes the request another where the server refuses it as it is, and says whether it has; it raises where
        there is no other. Raises `BackendError`.
        """
        refused, crowded = 0, 0
        answers: dict[Server, int] = {}
        while True:
            self._refuse_closed()
            server = first if first is not None and first.up and not refused else await link.choose(priority)
            answers.setdefault(server, server.answers)
            try:
                return await once(server)
            except Trouble as trouble:
                if (trouble.overflow is not None or trouble.parameter is not None) and refit(trouble):
                    continue
                if trouble.over:
                    continue  # another may give more; `choose` says where none does
                # Nobody took what is unreachable, and `choose` ends that waiting. A rate limit counts while nobody else
                # has an answer either.
                alone = server.answers == answers[server]
                answers[server] = server.answers
                crowded = crowded + 1 if trouble.status == 429 and alone else 0
                refused += not trouble.unreachable and (trouble.status != 429 or alone)
                if not trouble.error.retryable:
                    raise trouble.error from None
                if refused > self._retries:
                    times = f"; asked {refused} times (@retries)" if refused > 1 else ""
                    raise type(trouble.error)(f"{trouble}{times}", retryable=False) from None
                if trouble.status == 429:
                    backoff = random.uniform(0, min(_BACKOFF_MOST, _BACKOFF_FIRST * 2**crowded))
                    await asyncio.sleep(backoff if trouble.after is None else min(trouble.after, PATIENCE))
                elif len([one for one in link.servers if one.up]) < 2 or not trouble.unreachable:
                    await asyncio.sleep(random.uniform(0, min(_BACKOFF_MOST, _BACKOFF_FIRST * 2**refused)))

    def _refuse_closed(self) -> None:
        if self._closed:
            raise BackendError(f"this {self._kind} backend is closed")


class _Opened(NamedTuple):
    """A link with the generator that closes it: event loops close their generators before they end."""

    link: Link
    opening: AsyncGenerator[Link, None]
