"""The way to one or several servers of one model, within one event loop.

* The next request goes to the server with the fewest in flight; one that has just failed counts as fuller than it is
  for a while, so that a server which fails fast does not draw all the work.
* A server that cannot be reached gets nothing more until it answers a health check, which is `GET /models`.
* A server that asks to be left alone (Retry-After) is, by everybody.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yarl

from tts import BackendUnavailable, __version__
from tts_backends.openai.errors import Trouble, disconnected, refusal, timed_out, unreadable
from tts_backends.openai.wire import Events

# Servers on uvicorn close idle connections after five seconds; a request on one just closed would be lost.
_KEEP_ALIVE = 4.0
_CHECK_FIRST, _CHECK_MOST = 0.25, 10.0  # seconds between health checks
_LONGEST_PAUSE = 300.0  # of what a server asks for with Retry-After


class Limits(NamedTuple):
    """Seconds: until a connection stands, until a byte comes, for the whole, and without any server at all."""

    connect: float
    first_byte: float | None
    total: float
    patience: float


class Address(NamedTuple):
    """Where a server is, without a slash at the end, and the proxy before it."""

    base: str
    proxy: str | None

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


class Link:
    """A session and the servers that it leads to; made by `open_link` and closed with its loop."""

    def __init__(
        self, addresses: Sequence[Address], headers: Mapping[str, str], limits: Limits, secrets: Sequence[str]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits, self._secrets = limits, secrets
        self.servers = [Server(address) for address in addresses]
        self.seconds_per_request: float | None = None  # a running mean
        self._checks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._none_since: float | None = None
        self.last = "no server has been tried"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"ttscale/{__version__}", "Content-Type": "application/json", **headers},
            timeout=aiohttp.ClientTimeout(
                total=limits.total, sock_connect=limits.connect, sock_read=limits.first_byte
            ),
        )  # fmt: skip

    async def aclose(self) -> None:
        """End health checks and connections."""
        for check in self._checks:
            check.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        await self._session.close()

    @property
    def in_flight(self) -> int:
        """Requests that are on their way."""
        return sum(server.in_flight for server in self.servers)

    async def choose(self) -> Server:
        """The server for the next request, once there is one.

        Raises `BackendUnavailable` when none has been there for as long as `Limits.patience`.
        """
        while True:
            up = [server for server in self.servers if server.up]
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
            raw = await self._exchange(server, path, body)
        except Trouble as trouble:
            self._note(server, trouble)
            raise
        finally:
            server.in_flight -= 1
        answer = self._parsed(server, raw)
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
            await self._follow(server, path, body, events)
        except Trouble as trouble:
            self._note(server, trouble)
            raise
        finally:
            server.in_flight -= 1
        server.failures = 0
        return events.answer()

    async def get(self, server: Server, path: str) -> bytes:
        """The body of a page; raises `Trouble`."""
        return await self._exchange(server, path, None)

    async def tell(self, server: Server, path: str, body: bytes) -> None:
        """Send what has no answer; raises `Trouble`."""
        await self._exchange(server, path, body)

    # --- one exchange ----------------------------------------------------------------------------------------------

    async def _exchange(self, server: Server, path: str, body: bytes | None) -> bytes:
        where = server.address.base
        try:
            async with self._session.request(
                "GET" if body is None else "POST",
                server.url(path),
                data=body,
                proxy=server.address.proxy,
                allow_redirects=False,
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._trouble(error, where) from None  # its own words may hold headers
        if response.status != 200:
            raise refusal(response.status, response.headers, self.scrubbed(raw), where)
        return raw

    async def _follow(self, server: Server, path: str, body: bytes, events: Events) -> None:
        where = server.address.base
        try:
            async with self._session.post(
                server.url(path), data=body, proxy=server.address.proxy, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise refusal(response.status, response.headers, self.scrubbed(await response.read()), where)
                lines = b""
                async for chunk in response.content.iter_any():
                    *whole, lines = (lines + chunk).split(b"\n")
                    for line in whole:
                        self._feed(events, line, where)
                self._feed(events, lines, where)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not (events.done and events.complete):
                raise self._trouble(error, where) from None
        if not events.complete:
            raise disconnected("the stream ended before the completion did", where, unreachable=False)

    def _feed(self, events: Events, line: bytes, where: str) -> None:
        try:
            events.feed(line)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise unreadable(self.scrubbed(line), where) from None

    def _parsed(self, server: Server, raw: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            if not answer.get("error"):
                return answer
            trouble = refusal(500, {}, self.scrubbed(raw), server.address.base)  # some send it with status 200
        else:
            trouble = unreadable(self.scrubbed(raw), server.address.base)
        self._note(server, trouble)
        raise trouble

    def _trouble(self, error: Exception, where: str) -> Trouble:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return timed_out(where, None, unreachable=True)
        if isinstance(error, TimeoutError):
            seconds = self._limits.first_byte if isinstance(error, aiohttp.SocketTimeoutError) else self._limits.total
            return timed_out(where, seconds, unreachable=False)
        # What a response error says of itself includes the request with its headers.
        silent = isinstance(error, aiohttp.ClientResponseError) or not str(error)
        words = type(error).__name__ if silent else self.scrubbed(str(error).encode("utf-8", "replace")).decode()
        return disconnected(words, where, unreachable=isinstance(error, aiohttp.ClientConnectorError))

    def scrubbed(self, raw: bytes) -> bytes:
        """Without the secrets that a server may repeat in its answer."""
        for secret in self._secrets:
            raw = raw.replace(secret.encode(), b"***")
        return raw

    # --- health ----------------------------------------------------------------------------------------------------

    def _note(self, server: Server, trouble: Trouble) -> None:
        self.last = str(trouble)
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


async def open_link(
    addresses: Sequence[Address], headers: Mapping[str, str], limits: Limits, secrets: Sequence[str]
) -> AsyncGenerator[Link, None]:
    """Yield the link of this loop once and close it when the loop ends, as loops do with generators."""
    link = Link(addresses, headers, limits, secrets)
    try:
        yield link
    finally:
        await link.aclose()
