"""One exchange with a server of OpenAI's interface over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import aiohttp

from tts import __version__
from tts_backends.openai.errors import Trouble, disconnected, refusal, timed_out, unreadable
from tts_backends.openai.server import Server
from tts_backends.openai.wire import Events

# Servers on uvicorn close idle connections after five seconds; a request on one just closed would be lost.
_KEEP_ALIVE = 4.0


class Limits(NamedTuple):
    """Seconds: until a connection stands, until a byte comes, for the whole, and without any server at all.

    After `silence` a server that sends nothing is asked whether it is there.
    """

    connect: float
    first_byte: float | None
    total: float
    patience: float
    silence: float | None = 300.0


class Session:
    """The connections of one event loop; whatever goes wrong on them is a `Trouble` without secrets in its words."""

    def __init__(self, headers: Mapping[str, str], limits: Limits, secrets: Sequence[str]) -> None:
        self._limits, self._secrets = limits, secrets
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"ttscale/{__version__}", "Content-Type": "application/json", **headers},
            timeout=aiohttp.ClientTimeout(
                total=limits.total, sock_connect=limits.connect, sock_read=limits.first_byte
            ),
        )  # fmt: skip

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def ask(self, server: Server, path: str, body: bytes) -> dict[str, Any]:
        """The answer to a request; raises `Trouble`."""
        return self._parsed(server, await self.exchange(server, path, body))

    async def exchange(self, server: Server, path: str, body: bytes | None) -> bytes:
        """The body of the answer to a request, which is a GET where nothing is sent; raises `Trouble`."""
        where = server.address.base
        try:
            async with self._http.request(
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

    async def follow(
        self, server: Server, path: str, body: bytes, events: Events, sent: Callable[[], None] = lambda: None
    ) -> None:
        """Feed `events` with a streamed answer, and call `sent` at each piece; raises `Trouble`."""
        where = server.address.base
        try:
            async with self._http.post(
                server.url(path), data=body, proxy=server.address.proxy, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise refusal(response.status, response.headers, self.scrubbed(await response.read()), where)
                lines = b""
                async for chunk in response.content.iter_any():
                    sent()
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
