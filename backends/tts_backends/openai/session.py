"""One exchange with a server of OpenAI's interface over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp

from tts import __version__
from tts_backends.openai.access import Access
from tts_backends.openai.errors import (
    Trouble,
    damaged,
    disconnected,
    encoded,
    inside,
    refusal,
    timed_out,
    unreadable,
    untrusted,
)
from tts_backends.openai.events import Events, Gathering, InStream
from tts_backends.openai.server import Server

# Servers on uvicorn close idle connections after five seconds; a request on one just closed would be lost.
_KEEP_ALIVE = 4.0
_LONGEST_HEADER = 2**18  # bytes of one header: gateways put whole policies into theirs, and aiohttp takes 8 KiB
_WELL = {200, 201, 202, 203}  # frameworks answer a POST with 201, proxies that change something with 203


Heard = Callable[[Mapping[str, str]], None]


def _nobody(_headers: Mapping[str, str]) -> None: ...


class Limits(NamedTuple):
    """Seconds: until a connection stands, until a byte comes, for the whole, and without any server at all.

    After `silence` a server that sends nothing is asked whether it is there. Then, of each server: the most requests in
    flight, and those and the tokens of a minute.
    """

    connect: float
    first_byte: float | None
    total: float
    patience: float
    silence: float | None = 300.0
    at_once: int | None = None
    rpm: int | None = None
    tpm: int | None = None


class Session:
    """The connections of one event loop; whatever goes wrong on them is a `Trouble` without secrets in its words."""

    def __init__(self, access: Access, limits: Limits) -> None:
        self._limits, self._access, self._secrets = limits, access, access.secrets
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE, ssl=access.tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"ttscale/{__version__}", "Content-Type": "application/json", **access.headers},
            timeout=aiohttp.ClientTimeout(
                total=limits.total, sock_connect=limits.connect, sock_read=limits.first_byte
            ),
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )  # fmt: skip

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def ask(self, server: Server, path: str, body: bytes, heard: Heard = _nobody) -> dict[str, Any]:
        """The answer to a request; raises `Trouble`."""
        return self._parsed(server, path, await self.exchange(server, path, body, heard))

    async def upload(self, server: Server, path: str, fields: Mapping[str, str], file: Path) -> bytes:
        """The body of the answer to a form with a file in it; raises `Trouble`."""
        form = aiohttp.FormData(fields)
        with file.open("rb") as content:
            form.add_field("file", content, filename=file.name, content_type="application/jsonl")
            return await self.exchange(server, path, form())

    async def exchange(
        self, server: Server, path: str, body: bytes | aiohttp.Payload | None, heard: Heard = _nobody
    ) -> bytes:
        """The body of the answer to a request, which is a GET where nothing is sent; raises `Trouble`.

        `heard` gets the headers of an answer that is no refusal.
        """
        where = server.address.base
        try:
            async with self._http.request(
                "GET" if body is None else "POST",
                server.url(path),
                data=body,
                headers={"Content-Type": body.content_type} if isinstance(body, aiohttp.Payload) else None,
                proxy=server.address.proxy,
                allow_redirects=False,
            ) as response:
                raw = await (response.read() if self._limits.first_byte is None else self._watched(response))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._trouble(error, where) from None  # its own words may hold headers
        if response.status not in _WELL:
            raise self._refusal(response, raw, where)
        heard(response.headers)
        return raw

    async def _watched(self, response: aiohttp.ClientResponse) -> bytes:
        """The body; white space that keeps the connection open is no answer yet."""
        raw, idle = b"", _Idle(self._limits.first_byte)
        async with idle:
            async for chunk in response.content.iter_any():
                raw += chunk
                if raw.strip():
                    idle.heard()
        return raw

    async def follow(
        self,
        server: Server,
        path: str,
        body: bytes,
        events: Gathering,
        sent: Callable[[], None] = lambda: None,
        heard: Heard = _nobody,
    ) -> None:
        """Feed `events` with a streamed answer, and call `sent` when some of it comes; raises `Trouble`.

        `heard` gets the headers of an answer that is no refusal.
        """
        where = server.address.base
        try:
            async with self._http.post(
                server.url(path), data=body, proxy=server.address.proxy, allow_redirects=False
            ) as response:
                if response.status not in _WELL:
                    raise self._refusal(response, await response.read(), where)
                heard(response.headers)
                await self._events(response, events, where, sent)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not (events.done and events.complete):
                raise self._trouble(error, where) from None
        if not events.complete:
            raise disconnected("the stream ended before the completion did", where, unreachable=False)

    async def _events(
        self, response: aiohttp.ClientResponse, events: Gathering, where: str, sent: Callable[[], None]
    ) -> None:
        lines, idle = b"", _Idle(self._limits.first_byte)
        async with idle:
            async for chunk in response.content.iter_any():
                *whole, lines = (lines + chunk).split(b"\n")
                before = events.events
                for line in whole:
                    self._feed(events, line, where)
                if events.events > before:  # comments keep a connection open, and say nothing
                    idle.heard()
                    sent()
            self._feed(events, lines, where)
            self._feed(events, None, where)

    def _feed(self, events: Gathering, line: bytes | None, where: str) -> None:
        """Give it a line, or the end of the answer."""
        try:
            if line is None:
                events.end()
            else:
                events.feed(line)
        except InStream as error:
            raise inside(self._clean(error.told), where) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise unreadable(self.scrubbed(line or b"no stream"), where) from None

    def _parsed(self, server: Server, path: str, raw: bytes) -> dict[str, Any]:
        where = server.address.base
        if raw.lstrip()[:6].startswith((b"data:", b"event:", b": ")):  # some stream what was asked for in one piece
            events = Events("chat" if path.endswith("/chat/completions") else "completions")
            for line in [*raw.splitlines(), None]:
                self._feed(events, line, where)
            return events.answer()
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise unreadable(self.scrubbed(raw), where)
        if answer.get("error") or answer.get("object") == "error":  # some send it with status 200
            raise inside(self._clean(answer.get("error") or answer), where)
        return answer

    def _refusal(self, response: aiohttp.ClientResponse, raw: bytes, where: str) -> Trouble:
        withheld = self._access.withheld if response.status in {401, 403} else ""
        return refusal(response.status, response.headers, self.scrubbed(raw), where, withheld)

    def _trouble(self, error: Exception, where: str) -> Trouble:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return timed_out(where, None, unreachable=True)
        if isinstance(error, TimeoutError):
            idle = isinstance(error, aiohttp.SocketTimeoutError | IdleTimeout)
            return timed_out(where, self._limits.first_byte if idle else self._limits.total, unreachable=False)
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return untrusted(str(error.certificate_error), where)
        if "content-encoding" in str(error).lower():
            words = " ".join(str(getattr(error, "message", error)).split())
            missing = "install" in words.lower()  # our aiohttp cannot read it, and has not asked for it
            return encoded(words, where) if missing else damaged(words, where)
        # What a response error says of itself includes the request with its headers.
        silent = isinstance(error, aiohttp.ClientResponseError) or not str(error)
        words = type(error).__name__ if silent else self.scrubbed(str(error).encode("utf-8", "replace")).decode()
        return disconnected(words, where, unreachable=isinstance(error, aiohttp.ClientConnectorError))

    def _clean(self, told: Any) -> Any:
        return json.loads(self.scrubbed(json.dumps(told).encode()))

    def scrubbed(self, raw: bytes) -> bytes:
        """Without the secrets that a server may repeat in its answer."""
        for secret in self._secrets:
            raw = raw.replace(secret.encode(), b"***")
        return raw


class IdleTimeout(TimeoutError):  # noqa: N818 - as in BackendTimeout
    """Nothing that is a part of an answer has come for too long."""


class _Idle:
    """A timeout that starts anew with whatever is a part of the answer."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._watch = asyncio.timeout(seconds)

    async def __aenter__(self) -> Self:
        await self._watch.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._watch.__aexit__(kind, error, trace)
        except TimeoutError:
            raise IdleTimeout from None

    def heard(self) -> None:
        if self._seconds is not None:
            self._watch.reschedule(asyncio.get_running_loop().time() + self._seconds)
