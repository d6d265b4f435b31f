"""A service that takes files of requests, with the interface of OpenAI's batches."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeVar

from tts import BackendError
from tts_backends.openai.errors import Trouble
from tts_backends.openai.link import Link
from tts_backends.openai.pool import Pool
from tts_backends.openai.server import Server
from tts_backends.openai_batch.entry import Entry, State, write_safely

T = TypeVar("T")

_OVER = {"completed", "failed", "expired", "cancelled"}
_OURS = "ttscale"  # the field of a batch's metadata with our name for it
_CREATED = (1.0, 2.0, 4.0)  # seconds after which a batch that may have been made is looked for
_PAGES, _PAGE = 50, 100  # of a list of batches
_TRIES = 5  # times that a batch is made whose making failed without a word
_SURE = {400, 401, 402, 403, 404, 405, 413, 415, 422, 429}  # statuses with which nothing was made
_PAUSE_FIRST, _PAUSE_MOST = 0.25, 30.0  # seconds between attempts


class Look(NamedTuple):
    """What a service says of a batch: how many of its requests are done, and which files it has for us.

    `crowded` says that it was not taken because others wait before it.
    """

    status: str
    done: int = 0
    total: int = 0
    output: str = ""
    errors: str = ""
    why: str = ""
    crowded: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in _OVER


class Service(Protocol):
    """Whoever answers files of requests."""

    async def send(self, entry: Entry) -> State:
        """See to it that it has the batch, once; raises `BackendError`."""

    async def look(self, entry: Entry) -> Look:
        """What has become of the batch; raises `BackendError`."""

    async def fetch(self, entry: Entry, look: Look) -> None:
        """Have the answers of a batch that is over beside its requests; raises `BackendError`."""


class BatchService:
    """A service behind HTTP.

    A batch is made once: before each attempt that might repeat one, it is looked for in the service's list, by the
    name that it has in its metadata or by its file. What only asks is repeated for as long as `patience` seconds.
    """

    def __init__(self, pool: Pool, endpoint: str, window: str, patience: float) -> None:
        self._pool, self._endpoint, self._window, self._patience = pool, endpoint, window, patience

    async def send(self, entry: Entry) -> State:
        """Upload the requests and make a batch of them, each unless an earlier attempt has."""
        state = entry.state
        if state.file and (batch := await self._found(entry, state.file)):
            return entry.note(batch=batch)
        try:
            if not state.file:
                state = entry.note(file=await self._insist(lambda link, server: self._upload(link, server, entry)))
            return entry.note(batch=await self._made(entry, state.file))
        except Trouble as trouble:
            if trouble.status in _SURE:
                entry.note(status="failed", over=True, why=str(trouble))
            raise trouble.error from None

    async def look(self, entry: Entry) -> Look:
        """Its status, as the service has it."""
        batch = entry.state.batch
        try:
            return _look(await self._insist(_page(f"/batches/{batch}")))
        except Trouble as trouble:
            if trouble.status != 404:
                raise trouble.error from None
            raise BackendError(
                f"the service knows no batch {batch}: it has forgotten it, or it was made with another key; its "
                f"requests are not sent again as long as {str(entry.requests)!r} is there"
            ) from None

    async def fetch(self, entry: Entry, look: Look) -> None:
        """Download what it has answered, and what it says of those that failed."""
        for name, path in ((look.errors, entry.errors), (look.output, entry.answers)):
            if name:
                try:
                    content = await self._insist(_content(name))
                except Trouble as trouble:
                    raise trouble.error from None
                write_safely(path, [content])

    async def _upload(self, link: Link, server: Server, entry: Entry) -> str:
        """The service's name of the file; one that arrived in part counts as not there."""
        found = json.loads(await link.upload(server, "/files", {"purpose": "batch"}, entry.requests))
        size = entry.requests.stat().st_size
        if isinstance(told := found.get("bytes"), int) and told != size:
            sentence = f"{server.address.base} has {told:,} of {size:,} bytes of a file that was uploaded"
            raise Trouble(BackendError(sentence, retryable=True))
        return str(found["id"])

    async def _made(self, entry: Entry, file: str) -> str:
        """The service's name of the batch; raises `Trouble`."""
        body = {
            "input_file_id": file,
            "endpoint": self._endpoint,
            "completion_window": self._window,
            "metadata": {_OURS: entry.name},
        }
        raw = json.dumps(body).encode()
        for attempt in range(_TRIES):
            try:
                made = await self._insist(
                    lambda link, server: link.aside(server, "/batches", raw), lambda trouble: trouble.status == 429
                )
                return str(made["id"])
            except Trouble as trouble:
                if trouble.status in _SURE or attempt == _TRIES - 1:
                    raise
            except KeyError:
                pass  # an answer that names no batch
            for pause in _CREATED:
                await asyncio.sleep(pause)
                if batch := await self._found(entry, file):
                    return batch
        raise BackendError("the service makes a batch and does not name it")

    async def _found(self, entry: Entry, file: str) -> str:
        """The batch that was made of this file, where there is one; raises `BackendError` where that is not known."""
        after = ""
        oldest = entry.requests.stat().st_mtime - 86_400.0
        for _ in range(_PAGES):
            try:
                page = await self._insist(_page(f"/batches?limit={_PAGE}{after}"))
            except Trouble as trouble:
                raise BackendError(
                    f"it cannot be told whether a batch was made of {str(entry.requests)!r}, since the service does "
                    f"not list its batches ({trouble}); none is made a second time; delete that file to have its "
                    "requests sent anew"
                ) from None
            listed = [one for one in page.get("data") or () if isinstance(one, dict)]
            for one in listed:
                if (one.get("metadata") or {}).get(_OURS) == entry.name or one.get("input_file_id") == file:
                    return str(one["id"])
            created = listed[-1].get("created_at") if listed else None
            if not page.get("has_more") or (isinstance(created, int | float) and created < oldest):
                break
            after = f"&after={listed[-1]['id']}"
        return ""

    async def _insist(
        self,
        work: Callable[[Link, Server], Awaitable[T]],
        again: Callable[[Trouble], bool] = lambda trouble: trouble.error.retryable,
    ) -> T:
        """What the work brings, repeated where it may be; raises `Trouble`, `BackendUnavailable`."""
        link = await self._pool.link()
        tries, since = 0, time.monotonic()
        while True:
            server = await link.choose(paced=False)
            try:
                return await work(link, server)
            except Trouble as found:
                trouble = found
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                said = f"{server.address.base} answered with something that is not its interface: {error!r}"
                trouble = Trouble(BackendError(said, retryable=True))
            if trouble.unreachable:
                link.retire(server)  # `choose` waits until it is back
                continue
            if trouble.over or not again(trouble) or time.monotonic() - since > self._patience:
                raise trouble
            pause = min(_PAUSE_MOST, _PAUSE_FIRST * 2 ** min(tries, 8)) if trouble.after is None else trouble.after
            tries += 1
            await asyncio.sleep(pause)


def _page(path: str) -> Callable[[Link, Server], Awaitable[dict[str, Any]]]:
    async def read(link: Link, server: Server) -> dict[str, Any]:
        found = json.loads(await link.get(server, path))
        if not isinstance(found, dict):
            raise TypeError(f"a {type(found).__name__}")
        return found

    return read


def _content(name: str) -> Callable[[Link, Server], Awaitable[bytes]]:
    return lambda link, server: link.get(server, f"/files/{name}/content")


def _look(found: dict[str, Any]) -> Look:
    counts, errors = found.get("request_counts") or {}, found.get("errors") or []
    told = [one for one in (errors.get("data") if isinstance(errors, dict) else errors) or () if isinstance(one, dict)]
    words = "; ".join(str(one.get("message") or one.get("code")) for one in told[:3])
    return Look(
        status=str(found.get("status") or ""),
        done=int(counts.get("completed") or 0) + int(counts.get("failed") or 0),
        total=int(counts.get("total") or 0),
        output=str(found.get("output_file_id") or ""),
        errors=str(found.get("error_file_id") or ""),
        why=words,
        crowded=any(one.get("code") == "token_limit_exceeded" for one in told),
    )
