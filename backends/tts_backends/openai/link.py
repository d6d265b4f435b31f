"""The way to one or several servers of one model, within one event loop.

* The next request goes to the server with the fewest in flight; one that has just failed counts as fuller than it is
  for a while, so that a server which fails fast does not draw all the work.
* A server that cannot be reached gets nothing more until it answers a health check, which is `GET /models`.
* A server that asks to be left alone (Retry-After) is, by everybody.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from tts import BackendUnavailable
from tts_backends.openai.access import Access
from tts_backends.openai.errors import Trouble
from tts_backends.openai.events import Events
from tts_backends.openai.server import Address, Server
from tts_backends.openai.session import Limits, Session

_CHECK_FIRST, _CHECK_MOST = 0.25, 10.0  # seconds between health checks
_LONGEST_PAUSE = 300.0  # of what a server asks for with Retry-After


class Link:
    """A session and the servers that it leads to; made by `open_link` and closed with its loop."""

    def __init__(self, addresses: Sequence[Address], access: Access, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self.servers = [Server(address) for address in addresses]
        self.seconds_per_request: float | None = None  # a running mean
        self._checks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._none_since: float | None = None
        self.last = "no server has been tried"
        self._session = Session(access, limits)

    async def aclose(self) -> None:
        """End health checks and connections."""
        for check in self._checks:
            check.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        await self._session.aclose()

    @property
    def in_flight(self) -> int:
        """Requests that are on their way."""
        return sum(server.in_flight for server in self.servers)

    async def choose(self) -> Server:
        """The server for the next request, once there is one.

        Raises `BackendUnavailable` when none has been there for as long as `Limits.patience`, and why there will be
        none where all are used up.
        """
        while True:
            if all(server.over for server in self.servers):
                raise next(server.over for server in self.servers if server.over)
            up = [server for server in self.servers if server.up and not server.over]
            if not up:
                await self._until_changed()
                continue
            now = self._loop.time()
            ready = [server for server in up if server.resume_at <= now]
            if ready:
                return ready[0] if len(ready) == 1 else min(ready, key=lambda server: server.load(now))
            await asyncio.sleep(min(server.resume_at for server in up) - now + random.uniform(0, 0.1))

    async def _until_changed(self) -> None:
        since = self._none_since or self._loop.time()
        left = since + self._limits.patience - self._loop.time()
        try:
            async with asyncio.timeout(max(left, 0)):
                await self._changed.wait()
        except TimeoutError:
            raise BackendUnavailable(
                f"no server has answered for {self._limits.patience:g} s (@patience); {self.last}", retryable=False
            ) from None

    async def post(self, server: Server, path: str, body: bytes) -> dict[str, Any]:
        """The answer to one request; raises `Trouble`."""
        server.in_flight += 1
        try:
            answer = await self._session.ask(server, path, body)
        except Trouble as trouble:
            self._note(server, trouble)
            raise
        finally:
            server.in_flight -= 1
        server.failures = 0
        return answer

    def took(self, seconds: float) -> None:
        """Take the time of one request into the running mean."""
        known = self.seconds_per_request
        self.seconds_per_request = seconds if known is None else known + 0.1 * (seconds - known)

    async def stream(self, server: Server, path: str, body: bytes, events: Events) -> dict[str, Any]:
        """The answer to one streamed request, gathered in `events`; raises `Trouble`."""
        server.in_flight += 1
        try:
            await self._session.follow(server, path, body, events)
        except Trouble as trouble:
            self._note(server, trouble)
            raise
        finally:
            server.in_flight -= 1
        server.failures = 0
        return events.answer()

    async def get(self, server: Server, path: str) -> bytes:
        """The body of a page; raises `Trouble`."""
        return await self._session.exchange(server, path, None)

    async def tell(self, server: Server, path: str, body: bytes) -> None:
        """Send what has no answer; raises `Trouble`."""
        await self._session.exchange(server, path, body)

    def scrubbed(self, raw: bytes) -> bytes:
        """Without the secrets that a server may repeat in its answer."""
        return self._session.scrubbed(raw)

    # --- health ----------------------------------------------------------------------------------------------------

    def _note(self, server: Server, trouble: Trouble) -> None:
        self.last = str(trouble)
        if trouble.over:
            server.over = trouble.error
        if trouble.after is not None:
            pause = min(trouble.after, _LONGEST_PAUSE)
            server.resume_at = max(server.resume_at, self._loop.time() + pause)
        if trouble.error.retryable:
            server.failures += 1
            server.doubtful_until = self._loop.time() + min(_CHECK_MOST, _CHECK_FIRST * 2**server.failures)
        if trouble.unreachable:
            self.retire(server)

    def retire(self, server: Server) -> None:
        """Give the server no more work until it answers a health check."""
        if not server.up:
            return
        server.up = False
        if not any(other.up for other in self.servers):
            self._none_since = self._loop.time()
            self._changed.clear()
        check = self._loop.create_task(self._check(server))
        self._checks.add(check)
        check.add_done_callback(self._checks.discard)

    async def _check(self, server: Server) -> None:
        delay = _CHECK_FIRST
        while not server.up:
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))
            delay = min(2 * delay, _CHECK_MOST)
            server.up = await self._answers(server)
        server.failures = 0
        self._none_since = None
        self._changed.set()

    async def _answers(self, server: Server) -> bool:
        try:
            async with asyncio.timeout(self._limits.connect):
                await self.get(server, "/models")
        except TimeoutError:
            return False
        except Trouble as trouble:
            # A server without a list of models, or one that does not tell us, is there.
            return trouble.status is not None and trouble.status < 500
        return True


async def open_link(addresses: Sequence[Address], access: Access, limits: Limits) -> AsyncGenerator[Link, None]:
    """Yield the link of this loop once and close it when the loop ends, as loops do with generators."""
    link = Link(addresses, access, limits)
    try:
        yield link
    finally:
        await link.aclose()
