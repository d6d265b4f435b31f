"""The way to one or several servers of one model, within one event loop.

* The next request goes to the server with the fewest in flight; one that has just failed counts as fuller than it is
  for a while, so that a server which fails fast does not draw all the work.
* A server that cannot be reached gets nothing more until it answers a health check: `GET /models`, or where that does
  not work the smallest real request.
* A server that asks to be left alone (Retry-After) is, by everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import logging
import math
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tts import BackendUnavailable
from tts_backends.openai.access import Access
from tts_backends.openai.counts import told_prompt, told_written
from tts_backends.openai.errors import Trouble, disconnected
from tts_backends.openai.events import Gathering
from tts_backends.openai.pace import Pace
from tts_backends.openai.server import Address, Greeting, Remembered, Server
from tts_backends.openai.session import Heard, Limits, Session
from tts_backends.openai.vigil import Vigil
from tts_backends.openai.waiting import PATIENCE

_CHECK_FIRST, _CHECK_MOST = 0.25, 10.0  # seconds between health checks
_LINE = 60.0  # seconds between two lines about a limit
_GREETING = 30.0  # seconds in which the smallest request must be answered
_FAR = 1.0  # seconds to a server and back at most; a page that takes longer is slow to be made

_log = logging.getLogger("tts")


class Link:
    """A session and the servers that it leads to; made by `open_link` and closed with its loop."""

    def __init__(
        self,
        addresses: Sequence[Address],
        access: Access,
        limits: Limits,
        known: Remembered,
        greeting: Greeting | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits, self._known, self._greeting = limits, known, greeting
        self.servers = [
            Server(one, Pace(limits.at_once, limits.rpm, limits.tpm, known.away.get(one, 0.0))) for one in addresses
        ]
        self._vigils = {server: self._vigil(server) for server in self.servers}
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None
        self.seconds_per_request: float | None = None  # a running mean
        self._checks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._none_since: float | None = None
        self.last = "no server has been tried"
        self._session = Session(access, limits)

    async def aclose(self) -> None:
        """End health checks and connections."""
        for vigil in self._vigils.values():
            await vigil.aclose()
        if self._alarm is not None:
            self._alarm.cancel()
        for check in self._checks:
            check.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        await self._session.aclose()

    @property
    def in_flight(self) -> int:
        """Requests that are on their way."""
        return sum(server.in_flight for server in self.servers)

    async def choose(self, priority: int = 0, paced: bool = True) -> Server:
        """The server for the next request, once there is one that may have it; the lowest priority goes first.

        Raises `BackendUnavailable` when none has been there for as long as `Limits.patience`, and why there will be
        none where all are used up.
        """
        place = (priority, next(self._order))
        while True:
            if all(server.over for server in self.servers):
                raise next(server.over for server in self.servers if server.over)
            up = [server for server in self.servers if server.up and not server.over]
            if not up:
                await self._until_changed()
            elif not paced:
                return min(up, key=lambda server: server.load(self._loop.time()))
            elif not (self._waiting and self._waiting[0] < place) and (server := self._ready(up)):
                return server
            else:
                await self._turn(place)

    def _ready(self, up: Sequence[Server]) -> Server | None:
        """The least loaded of those that may have a request now."""
        now = self._loop.time()
        ready = [server for server in up if server.pace.wait(now, server.in_flight) <= 0]
        return min(ready, key=lambda server: server.load(now)) if ready else None

    async def _turn(self, place: tuple[int, int]) -> None:
        """Wait until it may be this one's turn."""
        turn: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._waiting, (*place, turn))
        self._wake()
        try:
            await turn
        except BaseException:
            turn.cancel()
            self._wake()
            raise

    def _wake(self) -> None:
        """Let the first of those who wait look again, now or when the next server may have one."""
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if not self._waiting:
            return
        now = self._loop.time()
        up = [server for server in self.servers if server.up and not server.over]
        soon = min((server.pace.wait(now, server.in_flight) for server in up), default=0.0)
        if soon <= 0:
            heapq.heappop(self._waiting)[2].set_result(None)
        elif soon < math.inf:
            self._alarm = self._loop.call_later(soon, self._wake)

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
        async with self._counted(server) as heard:
            answer = await self._session.ask(server, path, body, heard)
        server.pace.spent(_tokens(answer))
        return answer

    async def aside(self, server: Server, path: str, body: bytes) -> dict[str, Any]:
        """The answer to what is no request for a completion, and counts for no limit; raises `Trouble`."""
        return await self._session.ask(server, path, body)

    @contextlib.asynccontextmanager
    async def _counted(self, server: Server) -> AsyncIterator[Heard]:
        """In flight, as the server's pace counts it, and ended where the server is lost; who hears of its headers."""
        number, vigil = server.pace.sent(self._loop.time(), server.in_flight), self._vigils[server]
        server.in_flight += 1
        self._wake()  # there may be room for another
        try:
            with vigil.request() as request:
                yield lambda headers: server.pace.told(self._loop.time(), number, headers)
            if request.lost:
                raise self._lost(server)
        except Trouble as trouble:
            self._note(server, trouble, number)
            raise
        finally:
            server.in_flight -= 1
            self._wake()
        vigil.heard, server.failures = time.monotonic(), 0
        server.answers += 1
        server.pace.went_well(self._loop.time(), number)
        self._wake()

    def took(self, seconds: float) -> None:
        """Take the time of one request into the running mean."""
        known = self.seconds_per_request
        self.seconds_per_request = seconds if known is None else known + 0.1 * (seconds - known)

    async def stream(self, server: Server, path: str, body: bytes, events: Gathering) -> dict[str, Any]:
        """The answer to one streamed request, gathered in `events`; raises `Trouble`."""
        async with self._counted(server) as heard:
            await self._session.follow(server, path, body, events, self._vigils[server].sent, heard)
        answer = events.answer()
        server.pace.spent(_tokens(answer))
        return answer

    async def get(self, server: Server, path: str) -> bytes:
        """The body of a page; raises `Trouble`. How soon it comes says how far away the server is."""
        started = self._loop.time()
        found = await self._session.exchange(server, path, None)
        if path == "/models":
            self._known.listed.add(server.address)
        seconds = min(self._loop.time() - started, _FAR)
        self._known.away[server.address] = min(seconds, self._known.away.get(server.address, _FAR))
        return found

    async def upload(self, server: Server, path: str, fields: Mapping[str, str], file: Path) -> bytes:
        """What a form with a file in it is answered; raises `Trouble`."""
        return await self._session.upload(server, path, fields, file)

    async def tell(self, server: Server, path: str, body: bytes) -> None:
        """Send what has no answer; raises `Trouble`."""
        await self._session.exchange(server, path, body)

    def scrubbed(self, raw: bytes) -> bytes:
        """Without the secrets that a server may repeat in its answer."""
        return self._session.scrubbed(raw)

    # --- health ----------------------------------------------------------------------------------------------------

    async def at_work(self) -> bool | None:
        """Whether pieces of answers are coming; `None` where none are and a server that owes one is there."""
        if any(vigil.streams() for vigil in self._vigils.values()):
            return True
        asked = [server for server, vigil in self._vigils.items() if len(vigil)]
        return None if any(await asyncio.gather(*map(self._answers, asked))) else False

    def _vigil(self, server: Server) -> Vigil:
        return Vigil(self._limits.silence, lambda: self._answers(server), lambda: self.retire(server))

    def _lost(self, server: Server) -> Trouble:
        words = f"it has sent nothing for {self._limits.silence:g} s (@silence), not even its list of models"
        return disconnected(words, server.address.base, unreachable=True)

    def _note(self, server: Server, trouble: Trouble, number: int) -> None:
        self.last, now = str(trouble), self._loop.time()
        if trouble.over:
            server.over = server.over or trouble.error
            self._changed.set()
        elif trouble.status == 429:
            self._slow_down(server, trouble, number)
        elif trouble.after is not None:
            server.pace.paused(now + min(trouble.after, PATIENCE))
        server.pace.failed(number)
        if trouble.error.retryable and trouble.status != 429:
            server.failures += 1
            server.doubtful_until = now + min(_CHECK_MOST, _CHECK_FIRST * 2**server.failures)
        if trouble.unreachable:
            self.retire(server)

    def _slow_down(self, server: Server, trouble: Trouble, number: int) -> None:
        """Learn from a refusal, and say so once in a while."""
        now, pace = self._loop.time(), server.pace
        pace.refused(now, number, trouble.after)
        if now < server.told_at + _LINE:
            return
        server.told_at = now
        rest, rate = len(self._waiting) + server.in_flight, pace.per_second
        time = f", ≈ {_shown(rest / rate)}" if rate else ""
        if pace.words:
            _log.warning("%s: limited to %s; %d waiting%s", server.address.base, pace.words, rest, time)

    def retire(self, server: Server) -> None:
        """Give the server no more work until it answers a health check."""
        if not server.up:
            return
        server.up = False
        self._wake()
        if not any(other.up for other in self.servers):
            for *_, turn in self._waiting:  # they wait for a server now, not for room at one
                if not turn.done():
                    turn.set_result(None)
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
            server.up = await self._answers(server, whole=True)
        server.failures = 0
        self._none_since = None
        self._changed.set()
        self._wake()

    async def _answers(self, server: Server, *, whole: bool = False) -> bool:
        """Whether the server is there: it tells its models, or answers a real request.

        One without a list of models, or that does not tell us, is there; where the `whole` way is asked for, it may be
        that only what stands before it is.
        """
        try:
            async with asyncio.timeout(self._limits.connect):
                await self.get(server, "/models")
            return True
        except TimeoutError:
            there = False
        except Trouble as trouble:
            there = trouble.status is not None and trouble.status < 500
            if trouble.unreachable or (there and (not whole or self._greeting is None)):
                return there
        if not there and server.address in self._known.listed:  # it has told them before
            return False
        return self._greeting is not None and await self._greets(server, self._greeting)

    async def _greets(self, server: Server, greeting: Greeting) -> bool:
        """Whether the server takes a request; one that it finds fault with, or has no room for, is taken, too."""
        self._known.greeted += 1
        try:
            async with asyncio.timeout(max(self._limits.connect, _GREETING)):
                await self._session.exchange(server, greeting.path, greeting.body)
        except TimeoutError:
            return False
        except Trouble as trouble:
            return trouble.status in {400, 422, 429}
        return True


async def open_link(
    addresses: Sequence[Address],
    access: Access,
    limits: Limits,
    known: Remembered,
    greeting: Greeting | None = None,
) -> AsyncGenerator[Link, None]:
    """Yield the link of this loop once and close it when the loop ends, as loops do with generators.

    `known` is kept for the next one. `greeting` is what a server is asked that has no list of models.
    """
    link = Link(addresses, access, limits, known, greeting)
    try:
        yield link
    finally:
        await link.aclose()


def _tokens(answer: dict[str, Any]) -> int:
    """Tokens of prompt and completions, as far as they are counted."""
    usage = answer.get("usage")
    return told_prompt(usage) + told_written(usage)


def _shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
