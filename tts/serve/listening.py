"""Where a server listens, until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from tts.vocabulary.errors import ConfigError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def listen(runner: web.AppRunner, host: str, port: int) -> int:
    """Listen; the port, which is a free one where 0 is asked for. Raises `ConfigError` where that cannot be."""
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigError(f"cannot listen at {host}:{port}: {error.strerror or error}") from error
    return int(runner.addresses[0][1])


def shown_host(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


@contextmanager
def at_signals(told: Callable[[], object]) -> Iterator[None]:
    """Call `told` at every signal to end, as long as the block lasts."""
    loop = asyncio.get_running_loop()
    for one in _SIGNALS:
        loop.add_signal_handler(one, told)
    try:
        yield
    finally:
        for one in _SIGNALS:
            loop.remove_signal_handler(one)
