"""An answer as server-sent events: keep-alive comments, progress, chunks, errors that come too late for a status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import web

from tts.serve.failure import Failure, failure_of
from tts.serve.gateway import Answered
from tts.serve.written import Written
from tts.vocabulary.events import Event

_PATIENCE = 10.0  # seconds without a byte after which proxies may give up; a comment goes out before


class Broken(Exception):  # noqa: N818 - it says what became of the stream
    """The answer failed after something had gone out; the stream has been told, too."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure: Failure = failure


class Stream:
    """One response that is written bit by bit; nothing goes out before there is something to say or time is up."""

    def __init__(self, request: web.Request, request_id: str, written: Written, patience: float) -> None:
        self._request, self._written, self._patience = request, written, patience
        self.response: web.StreamResponse = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",
                "x-tts-request-id": request_id,
            }
        )
        self._told: asyncio.Queue[Callable[[], Iterable[dict[str, Any]]]] = asyncio.Queue()
        self._candidates = 0

    def progress(self, event: Event) -> None:
        """Something happened that is worth a line."""
        if event.kind == "candidate":
            self._candidates += 1
            self._tell(f"candidate {self._candidates} is there\n")
        elif event.kind == "call":
            did = {"scorer": "scored", "judge": "judged"}.get(event.message, "written")
            self._tell(f"{event.strategy}: the {event.message} has {did}\n")

    def more(self, text: str) -> None:
        """Something more of the answer is written."""
        self._told.put_nowait(partial(self._written.delta, text))

    def _tell(self, text: str) -> None:
        self._told.put_nowait(partial(self._written.progress, text))

    async def until(self, answering: Coroutine[Any, Any, Answered]) -> Answered:
        """What is answered, with progress and comments while it is not; raises what that raises.

        Once something has gone out, an error is an event, and `Broken` is raised.
        """
        task = asyncio.create_task(answering)
        try:
            while not task.done():
                await self._meanwhile(task)
            return task.result()
        except ConnectionError:
            raise
        except Exception as error:
            await self._break(error)
            raise
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _meanwhile(self, task: asyncio.Task[Answered]) -> None:
        """Until the task is done, there is progress, or a comment is due."""
        hearing = asyncio.create_task(self._told.get())
        try:
            await asyncio.wait({task, hearing}, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                await self._send_all(hearing.result()())
            elif not task.done():
                await self._write(b": still at work\n\n")
        finally:
            hearing.cancel()

    async def finish(self, answered: Answered) -> web.StreamResponse:
        """The answer, to the end."""
        if not self.response.prepared:
            self.response.headers["x-tts-strategy"] = answered.served.strategy.name
        try:
            while not self._told.empty():
                await self._send_all(self._told.get_nowait()())
            await self._send_all(self._written.answer(answered))
        except Failure as failure:
            await self._break(failure)
            raise
        await self._end()
        return self.response

    async def _break(self, error: Exception) -> None:
        """Tell of an error in the stream where that has begun; raises `Broken` then."""
        if self.response.prepared:
            failure = failure_of(error)
            await self._send(self._written.error(failure.body()))
            await self._end()
            raise Broken(failure) from error

    async def _send_all(self, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            await self._send(event)

    async def _send(self, event: dict[str, Any]) -> None:
        name = f"event: {event['type']}\n" if self._written.named else ""
        await self._write(f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._patience):
                if not self.response.prepared:
                    await self.response.prepare(self._request)
                await self.response.write(data)
        except TimeoutError:
            raise ConnectionResetError("the client does not take its answer") from None

    async def _end(self) -> None:
        if self._written.end:
            await self._write(self._written.end)
        await self.response.write_eof()
