"""Which web pages may ask: the gateway's own, or those whose origins its recipe names."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from tts.serve.failure import Failure

_ANY = "*"


class Origins:
    """Refuses what a browser sends for another site's page, and tells browsers of those that are allowed (CORS).

    `keys` says that clients must have one. Where they need none, only a page of this machine is the gateway's own: a
    name of somebody else's may lead here, too.
    """

    def __init__(self, allowed: Collection[str], *, keys: bool) -> None:
        self._allowed, self._keys = frozenset(allowed), keys

    def check(self, request: web.Request) -> None:
        """Raise `Failure` (403) where a browser says that another site asks."""
        origin = request.headers.get("Origin")
        if origin is None or self._allows(origin) or self._own(origin, request.host):
            return
        message = f"pages of {origin!r} may not ask this gateway; its operator can allow it (cors = [{origin!r}])"
        raise Failure(403, message, kind="permission_error", code="origin_not_allowed")

    def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to a browser's question whether a page may ask, where this is one and it may."""
        if request.method != "OPTIONS" or not self._allows(request.headers.get("Origin", "")):
            return None
        wanted = request.headers.get("Access-Control-Request-Headers", "authorization, content-type")
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": wanted,
                "Access-Control-Max-Age": "600",
            },
        )

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Tell a browser that the page which asked may read the answer."""
        if not self._allowed:
            return
        response.headers.add("Vary", "Origin")
        if self._allows(origin := request.headers.get("Origin", "")):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "x-tts-request-id, x-tts-strategy, Retry-After"

    def _allows(self, origin: str) -> bool:
        return bool(origin) and (origin in self._allowed or _ANY in self._allowed)

    def _own(self, origin: str, host: str) -> bool:
        try:
            page = urlsplit(origin)
            return page.netloc == host and (self._keys or _is_here(page.hostname or ""))
        except ValueError:
            return False


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
