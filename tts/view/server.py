"""The process of a view: it listens on this machine alone, until a signal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from tts.serve.listening import at_signals, listen
from tts.view.app import App
from tts.view.pages import Pages

_LOOPBACK = "127.0.0.1"


async def view(place: str | Path, port: int, pages: Pages, say: Callable[[str], None]) -> None:
    """Serve the runs of a place until a signal."""
    stop = asyncio.Event()
    with at_signals(stop.set):
        runner = web.AppRunner(App(place, pages).application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            port = await listen(runner, _LOOPBACK, port)
            say(f"viewing at http://{_LOOPBACK}:{port}/ (Ctrl-C ends it)")
            await stop.wait()
        finally:
            await runner.cleanup()
