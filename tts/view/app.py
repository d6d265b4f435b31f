"""The view over HTTP: it only reads; only who asks this machine by its own name is answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from tts.view.pages import Pages
from tts.view.runs import SeenRun, run_of, runs_in
from tts.vocabulary.errors import ConfigError, TTSError

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
NAMES = frozenset(("127.0.0.1", "localhost", "[::1]"))
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_log = logging.getLogger("tts")


class App:
    """Routes over the runs of a place."""

    def __init__(self, place: str | Path, pages: Pages) -> None:
        self._place, self._pages = place, pages
        self._known: dict[str, SeenRun] = {}  # by address: a page asks every two seconds, a folder may be large

    def application(self) -> web.Application:
        """What a server runs."""
        made = web.Application(client_max_size=0, middlewares=[self._around])
        made.add_routes(
            [
                web.get("/", self._runs),
                web.get("/compare", self._compare),
                web.get("/run/{id}", self._run),
                web.get("/run/{id}/state", self._state),
            ]
        )
        return made

    @web.middleware
    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a name that is not this machine's: a page elsewhere may have it point here."""
        try:
            if request.host.rpartition(":")[0] not in NAMES and request.host not in NAMES:
                raise web.HTTPForbidden(text="ask 127.0.0.1 or localhost")
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(_HEADERS)
            raise
        except TTSError as error:
            response = _sentence(str(error), 404)
        except Exception as error:
            _log.exception("%s failed", request.path)
            response = _sentence(f"this page could not be made: {type(error).__name__}", 500)
        response.headers.update(_HEADERS)
        return response

    async def _of(self, wanted: str) -> SeenRun:
        """The run of an address; the place is looked through where it is a new one."""
        if wanted not in self._known:
            self._known[wanted] = await asyncio.to_thread(run_of, self._place, wanted)
        return self._known[wanted]

    async def _runs(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - aiohttp's signature
        found = await asyncio.to_thread(runs_in, self._place)
        if len(found) == 1 and not (isinstance(self._place, Path) and self._place.is_dir()):
            raise web.HTTPFound(f"/run/{found[0].id}")
        return _html(await asyncio.to_thread(self._pages.runs, found))

    async def _run(self, request: web.Request) -> web.StreamResponse:
        one = await self._of(request.match_info["id"])
        return _html(await asyncio.to_thread(self._pages.run, one))

    async def _state(self, request: web.Request) -> web.StreamResponse:
        one = await self._of(request.match_info["id"])
        told: Any = await asyncio.to_thread(self._pages.state, one)
        return web.json_response(told)

    async def _compare(self, request: web.Request) -> web.StreamResponse:
        wanted = list(dict.fromkeys(request.query.getall("run", [])))
        if len(wanted) < 2:
            raise ConfigError("choose two runs or more to compare")
        found = [await self._of(one) for one in wanted]
        return _html(await asyncio.to_thread(self._pages.compared, found))


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")


def _sentence(text: str, status: int) -> web.Response:
    head = '<!doctype html><meta charset="utf-8"><title>tts view</title>'
    body = f'{head}<p>{escape(text)}</p><p><a href="/">All runs</a></p>'
    return web.Response(text=body, content_type="text/html", status=status)
