"""What operators are told of a gateway, as far as the packages for it are installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tts.serve.failure import Failure
from tts.serve.meters import Meters, State
from tts.serve.spans import Spans
from tts.vocabulary.events import Event
from tts.vocabulary.records import Result

_MISSING = "/metrics needs prometheus_client, which is not installed here; pip install 'ttscale[serve]'"


class Watch:
    """Hears of everything, and costs nothing where nobody is told."""

    def __init__(self, state: State) -> None:
        self._meters = Meters.where_installed(state)
        self._spans = Spans.where_installed()

    def metrics(self) -> web.Response:
        """The numbers; raises `Failure` (501) where what counts them is not installed."""
        if self._meters is None:
            raise Failure(501, _MISSING, kind="server_error", code="not_installed")
        return web.Response(body=self._meters.text(), headers={"Content-Type": self._meters.content_type})

    def begin(self, request: web.Request, request_id: str) -> None:
        """A request has come."""
        if self._spans is not None:
            self._spans.begin(request_id, request.method, _route(request), request.headers)

    def end(self, request: web.Request, request_id: str, status: int, seconds: float, noted: Mapping[str, Any]) -> None:
        """It is over."""
        if self._meters is not None:
            self._meters.requested(_route(request), status, seconds)
        if self._spans is not None:
            self._spans.end(request_id, status, noted)

    def failed(self, failure: Failure) -> None:
        """A request is answered with an error."""
        if self._meters is not None and failure.code == "deadline_exceeded":
            self._meters.too_late()

    def waited(self, seconds: float) -> None:
        """A request has its turn."""
        if self._meters is not None:
            self._meters.waited(seconds)

    def heard(self, event: Event) -> None:
        """Something happened in an engine."""
        if self._meters is not None:
            self._meters.heard(event)
        if self._spans is not None:
            self._spans.heard(event)

    def decided(self, results: list[Result]) -> None:
        """A request has its answers."""
        if self._meters is not None:
            for result in results:
                self._meters.decided(result)


def _route(request: web.Request) -> str:
    """The path as it is declared, so that there are few of them."""
    resource = request.match_info.route.resource
    return "other" if resource is None else resource.canonical
