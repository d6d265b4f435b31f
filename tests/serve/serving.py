"""A gateway in the test's own loop, behind a real port, with whoever asks it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from doubles import FakeBackend
from waiting import joined

import tts
from tts.serve.access_log import AccessLog
from tts.serve.app import App
from tts.serve.gateway import Gateway
from tts.serve.keys import Keys
from tts.serve.recipe import Recipe

T = TypeVar("T")


class Client:
    """Raw HTTP against a gateway; `lines` are its access log."""

    def __init__(self, session: aiohttp.ClientSession, gateway: Gateway, app: App, lines: list[str]) -> None:
        self.session, self.gateway, self.app, self._lines = session, gateway, app, lines

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._lines]

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.session.get(path, headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if "json" in response.content_type else text

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.post(path, headers=headers, **sent) as response:
            return response.status, await response.json(), dict(response.headers)

    async def chat(self, text: str = "1+2", model: str = "majority", **body: Any) -> tuple[int, dict[str, Any]]:
        messages = body.pop("messages", [{"role": "user", "content": text}])
        status, said, _ = await self.post("/v1/chat/completions", {"model": model, "messages": messages, **body})
        return status, said

    async def stream(self, path: str, body: dict[str, Any]) -> tuple[int, list[str]]:
        """The status, and the lines that came."""
        async with self.session.post(path, json={**body, "stream": True}) as response:
            return response.status, [line.decode().rstrip("\n") async for line in response.content if line.strip()]


def chunks(lines: list[str]) -> list[dict[str, Any]]:
    """The chunks of a stream of chat completions, which must have come to its end."""
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1] if line.startswith("data: ")]


@asynccontextmanager
async def gateway(keys: Path | None = None, **recipe: Any) -> AsyncIterator[Client]:
    lines: list[str] = []
    made = Recipe(**{"model": "fake:m", **recipe})
    async with Gateway(made) as one:
        app = App(one, Keys.read(keys) if keys else None, AccessLog(lines.append))
        runner = web.AppRunner(app.application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
                yield Client(session, one, app, lines)
        finally:
            await runner.cleanup()


@contextmanager
def running(keys: Path | None = None, **recipe: Any) -> Iterator[str]:
    """Where a gateway serves, on a loop of its own."""
    where: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        async with gateway(keys=keys, **recipe) as client:
            over = asyncio.Event()
            where.set_result((str(client.session._base_url), asyncio.get_running_loop(), over))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    address, loop, over = where.result(60)
    yield address
    loop.call_soon_threadsafe(over.set)
    joined(thread)


def served(use: Callable[[Client], Coroutine[Any, Any, T]], **recipe: Any) -> T:
    """What a client comes to with a gateway of this recipe."""

    async def main() -> T:
        async with gateway(**recipe) as client:
            return await use(client)

    return asyncio.run(main())


class Slow(FakeBackend):
    """Completions that come side by side after `seconds`, the last of each request after `last`."""

    seconds = 0.05
    last = 0.05
    capabilities = tts.Capabilities(seed=True, concurrency=64)

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        cls = type(self)
        cls.requests.append(request)
        cls.before(request)
        left = request.n
        cls.live += 1
        try:
            await asyncio.sleep(cls.seconds)
            for index in range(request.n):
                if index == request.n - 1:
                    await asyncio.sleep(cls.last - cls.seconds)
                left -= 1
                text = cls.script(request, index)
                thinking, summary = tts.split_thinking(text)
                usage = tts.Usage(calls=1, prompt_tokens=10, answer_tokens=len(text))
                yield tts.Completion(index=index, text=text, thinking=thinking, summary=summary, usage=usage)
        finally:
            cls.live -= 1
            for _ in range(left):
                request.on_cancelled(tts.Usage(calls=1, answer_tokens=1))


def slow(**behaviour: Any) -> type[Slow]:
    values = {name: staticmethod(value) if callable(value) else value for name, value in behaviour.items()}
    cls = type("Now", (Slow,), values)
    tts.plugins().register("backend", "fake", cls)
    return cls
