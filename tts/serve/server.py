"""The process of a gateway: it listens, it drains at the first signal, it ends at the second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from tts.serve.access_log import AccessLog
from tts.serve.app import App
from tts.serve.gateway import Gateway
from tts.serve.keys import Keys
from tts.serve.listening import at_signals, listen, shown_host
from tts.serve.recipe import Recipe

_HEADERS = 64 << 10  # bytes of a header: some clients send long keys, none sends a megabyte


async def serve(recipe: Recipe, say: Callable[[str], None], log: Callable[[str], None]) -> None:
    """Serve until a signal; what is being answered then is answered, unless there is a second one."""
    keys = None if recipe.keys is None else Keys.read(recipe.keys)
    stop, now = asyncio.Event(), asyncio.Event()

    def told() -> None:
        (now if stop.is_set() else stop).set()

    with at_signals(told):
        async with Gateway(recipe) as gateway:
            app = App(gateway, keys, AccessLog(log))
            runner = web.AppRunner(
                app.application(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0,
                max_field_size=_HEADERS, max_line_size=_HEADERS,
            )  # fmt: skip
            await runner.setup()
            try:
                port = await listen(runner, recipe.host, recipe.port)
                say(f"serving {', '.join(gateway.catalog.names())} at http://{shown_host(recipe.host)}:{port}/v1")
                await stop.wait()
                await _drain(app, now, say)
            finally:
                await runner.cleanup()


async def _drain(app: App, now: asyncio.Event, say: Callable[[str], None]) -> None:
    """Take no more, and return when all is answered, or at once at the second signal."""
    app.draining = True
    say(f"draining: {app.open} requests are being answered; a second signal ends them")
    waits = {asyncio.create_task(app.idle()), asyncio.create_task(now.wait())}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()
