"""The gateway over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from aiohttp import web

from tts.serve import chat, page, responses
from tts.serve.access_log import AccessLog
from tts.serve.asked import Asked, read_chat, read_json
from tts.serve.failure import Failure, failure_of
from tts.serve.gateway import Answered, Gateway
from tts.serve.keys import Key, Keys
from tts.serve.origins import Origins
from tts.serve.stream import Broken, Stream
from tts.serve.written import Written

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_OPEN = frozenset({"/", "/health", "/ready"})  # paths that need no key
_CLOSED_REQUEST = 499  # of a client that went away, for the log
_log = logging.getLogger("tts")


class Noted:
    """What is known of the request in whose task it is asked for."""

    def __init__(self) -> None:
        self.request_id: str = uuid.uuid4().hex
        self.key: Key | None = None
        self.said: dict[str, Any] = {}  # for the log


_noted: ContextVar[Noted] = ContextVar("tts_request")


class App:
    """Routes, keys, forms of answers around a gateway."""

    def __init__(self, gateway: Gateway, keys: Keys | None, log: AccessLog) -> None:
        self._gateway, self._keys, self._log = gateway, keys, log
        self._origins = Origins(gateway.recipe.cors, keys=keys is not None)
        self.draining = False
        self.open: int = 0  # requests whose answers have not gone out
        self._idle = asyncio.Event()
        self._idle.set()

    def application(self) -> web.Application:
        """What a server runs."""
        made = web.Application(client_max_size=self._gateway.recipe.limits.body, middlewares=[self._around])
        made.add_routes(
            [
                web.get("/", self._page),
                web.get("/health", self._health),
                web.get("/ready", self._ready),
                web.get("/metrics", self._metrics),
                web.get("/v1/models", self._models),
                web.get("/v1/models/{name:.+}", self._model),
                web.post("/v1/chat/completions", self._chat),
                web.post("/v1/responses", self._responses),
            ]
        )
        made.on_response_prepare.append(self._origins.mark)
        return made

    # --- around every request --------------------------------------------------------------------------------------

    @web.middleware
    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began, status, noted = time.monotonic(), _CLOSED_REQUEST, Noted()
        _noted.set(noted)
        self._gateway.watch.begin(request, noted.request_id)
        self.open += 1
        self._idle.clear()
        try:
            response = await self._admitted(request, handler, noted)
            await self._send(request, response)
            status = response.status
            return response
        except ConnectionError:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None  # as if the client's leaving had been noticed at once
        finally:  # cancelled, too
            self.open -= 1
            if not self.open:
                self._idle.set()
            seconds = time.monotonic() - began
            self._log.write(request, noted.request_id, status, seconds, noted.said)
            self._gateway.watch.end(request, noted.request_id, status, seconds, noted.said)

    async def _send(self, request: web.Request, response: web.StreamResponse) -> None:
        """See it out, as long as the client takes it; raises `ConnectionError` where it does not."""
        try:
            async with asyncio.timeout(self._gateway.recipe.limits.patience):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            raise ConnectionResetError("the client does not take its answer") from None

    async def idle(self) -> None:
        """Until all that has been asked is answered, to the last byte."""
        await self._idle.wait()

    async def _admitted(self, request: web.Request, handler: Handler, noted: Noted) -> web.StreamResponse:
        headers = {"x-tts-request-id": noted.request_id}
        try:
            if (allowed := self._origins.preflight(request)) is not None:
                return allowed
            self._check(request, noted)
            response = await handler(request)
        except ConnectionError:  # the client's: those of models and stores are errors of ours
            raise
        except web.HTTPException as error:
            failure = _http_failure(error, request, self._gateway.recipe.limits.body)
        except Exception as error:
            failure = failure_of(error)
            if failure.code == "internal_error":
                _log.exception("request %s failed", noted.request_id)
        else:
            if not response.prepared:
                response.headers.update(headers)
            return response
        noted.said["error"] = failure.message
        self._gateway.watch.failed(failure)
        if failure.retry_after is not None:
            headers["Retry-After"] = str(failure.retry_after)
        if failure.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return web.json_response(failure.body(), status=failure.status, headers=headers)

    def _check(self, request: web.Request, noted: Noted) -> None:
        """Raise `Failure` where the request may not be made, or not now."""
        if request.path in _OPEN:
            return
        self._origins.check(request)
        if self._keys is not None:
            key = self._keys.of(request.headers.get("Authorization", ""))
            noted.key, noted.said["key"] = key, key.name
            key.admit()
        if self.draining and request.path.startswith("/v1/"):
            raise Failure(503, "the gateway is being stopped; ask another", kind="server_error", code="stopping")

    # --- what tells of the gateway ---------------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - aiohttp's signature
        return web.Response(text=page.html(self._gateway), content_type="text/html", headers=page.HEADERS)

    async def _health(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - aiohttp's signature
        door = self._gateway.admission
        return web.json_response({"status": "ok", "answering": door.inside, "waiting": door.waiting})

    async def _ready(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - aiohttp's signature
        why = "the gateway is being stopped" if self.draining else self._gateway.why_not_ready()
        if why is not None:
            raise Failure(503, why, kind="service_unavailable_error", code="not_ready", retry_after=1)
        return web.json_response({"status": "ready"})

    async def _metrics(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - aiohttp's signature
        return self._gateway.watch.metrics()

    async def _models(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - aiohttp's signature
        return web.json_response({"object": "list", "data": self._gateway.catalog.cards()})

    async def _model(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._gateway.catalog.of(request.match_info["name"]).card())

    # --- what answers ----------------------------------------------------------------------------------------------

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = read_chat(read_json(await self._body(request)), self._gateway.recipe.limits.prompt)
        return await self._answer(request, asked, chat.completion, chat.ChatWritten(_noted.get().request_id, asked))

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        asked = responses.read(read_json(await self._body(request)), self._gateway.recipe.limits.prompt)
        return await self._answer(
            request, asked, responses.response, responses.ResponsesWritten(_noted.get().request_id, asked)
        )

    async def _body(self, request: web.Request) -> bytes:
        patience = self._gateway.recipe.limits.patience
        try:
            async with asyncio.timeout(patience):
                return await request.read()
        except TimeoutError:
            raise Failure(408, f"the request was not all here after {patience:g} s", code="request_timeout") from None

    async def _answer(
        self, request: web.Request, asked: Asked, form: Callable[[Answered], dict[str, Any]], written: Written
    ) -> web.StreamResponse:
        noted = _noted.get()
        noted.said |= {"model": asked.model, "stream": asked.stream}
        if self._gateway.recipe.log_prompts:
            noted.said["messages"] = [message.model_dump() for message in asked.messages]
        if not asked.stream:
            answered = await self._gateway.answer(asked, noted.request_id)
            _account(noted, answered)
            headers = {"x-tts-strategy": answered.served.strategy.name}
            return web.json_response(form(answered), headers=headers, dumps=_dumps)
        stream = Stream(request, noted.request_id, written, self._gateway.recipe.limits.patience)
        hear = stream.progress if asked.own.progress else None
        try:
            answered = await stream.until(self._gateway.answer(asked, noted.request_id, hear, stream.more))
        except Broken as broken:
            noted.said["error"] = broken.failure.message
            return stream.response
        _account(noted, answered)
        try:
            return await stream.finish(answered)
        except Broken as broken:
            noted.said["error"] = broken.failure.message
            return stream.response


def _account(noted: Noted, answered: Answered) -> None:
    usage = answered.usage
    if noted.key is not None:
        noted.key.spend("tokens", usage.total_tokens)
    noted.said.update(
        strategy=answered.served.strategy.name,
        candidates=sum(len(result.candidates) for result in answered.results),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.generated_tokens,
        cancelled=usage.cancelled,
    )


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _http_failure(error: web.HTTPException, request: web.Request, most: int) -> Failure:
    """What aiohttp refuses by itself, in the same form."""
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Failure(
            413, f"the body is larger than the {most:,} bytes that this gateway takes", code="body_too_large"
        )
    if error.status in (404, 405):
        message = f"there is nothing at {request.method} {request.path}; requests go to POST /v1/chat/completions"
        return Failure(error.status, message, code="unknown_url")
    return Failure(error.status, error.reason)
