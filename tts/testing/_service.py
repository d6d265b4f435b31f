"""A service with OpenAI's interface, on a port of this machine, that answers as a function says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

PROMPT = "How much is 1 + 1?"
TEXT = "One and one are \\boxed{2}."
_JSON = {"Content-Type": "application/json"}
_STREAM = {"Content-Type": "text/event-stream"}


class Asked(NamedTuple):
    """A request as it came; `number` is how many with the same prompt came before it, `at` when (monotonic seconds)."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    number: int = 0
    at: float = 0.0

    @property
    def prompt(self) -> str:
        """What the model is asked, empty where it is not."""
        messages = self.body.get("messages") or [{}]
        return str(self.body.get("prompt") or messages[-1].get("content") or "")


class Reply(NamedTuple):
    """What goes back: `chunks` of bytes as they are, or pauses in seconds; not `whole`: the connection breaks off."""

    chunks: tuple[bytes | float, ...]
    status: int = 200
    headers: Mapping[str, str] = _JSON
    whole: bool = True


Answer = Callable[[Asked], Reply | Awaitable[Reply]]


def said(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply of JSON."""
    return Reply((json.dumps(value).encode(),), status, {**_JSON, **(headers or {})})


def streamed(events: Iterable[Any], *, done: bool = True, whole: bool = True) -> Reply:
    """A reply of server-sent events, `done` with `[DONE]` at the end; bytes and pauses stay as they are."""
    chunks = [
        one if isinstance(one, bytes | float) else b"data: " + json.dumps(one).encode() + b"\n\n" for one in events
    ]
    return Reply((*chunks, *([b"data: [DONE]\n\n"] if done else [])), headers=_STREAM, whole=whole)


def refused(status: int, message: str, headers: Mapping[str, str] | None = None, /, **fields: Any) -> Reply:
    """A reply that refuses, in OpenAI's form."""
    return said({"error": {"message": message, **fields}}, status, headers)


def choice(message: Mapping[str, Any], finish: str | None = "stop", index: int = 0) -> dict[str, Any]:
    """A choice of an answer in one piece."""
    return {"index": index, "finish_reason": finish, "message": {"role": "assistant", **message}}


def piece(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    """An event of a stream."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def usage(prompt: int = 12, completion: int = 9) -> dict[str, int]:
    """What a service counts."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def plain_reply(asked: Asked) -> Reply:
    """What a service says that does everything as it should; `PROMPT` is always answered with `TEXT`."""
    if asked.path.endswith("/models"):
        return said({"object": "list", "data": [{"id": "m", "object": "model"}]})
    if not asked.path.endswith("/chat/completions"):
        return refused(404, "Not Found")
    body, choices = asked.body, []
    for index in range(body.get("n") or 1):
        seed = f"{body.get('seed')}/{index}" if "seed" in body else random.random()
        text = TEXT if asked.prompt == PROMPT else f"{random.Random(f'{asked.prompt}/{seed}').getrandbits(160):x}"
        one = choice({"content": text}, index=index)
        if body.get("logprobs"):
            one["logprobs"] = {"content": [{"token": "x", "logprob": -0.5}] * 9}
        choices.append(one)
    if body.get("stream"):
        pieces = [piece({"content": word}) for word in choices[0]["message"]["content"].split(" ")]
        for one in pieces[1:]:
            one["choices"][0]["delta"]["content"] = " " + one["choices"][0]["delta"]["content"]
        return streamed([*pieces, piece({}, "stop"), {"choices": [], "usage": usage()}])
    return said({"object": "chat.completion", "choices": choices, "usage": usage(completion=9 * len(choices))})


class Service:
    """A service as long as the block lasts; `asked` has every request, in order.

        with tts.testing.Service(tts.testing.plain_reply) as service:
            ...  # ask service.base

    The function gets each request and returns a reply, or awaits it. `tls` is how it shows who it is.
    """

    def __init__(self, answer: Answer = plain_reply, tls: ssl.SSLContext | None = None) -> None:
        self._answer, self._tls = answer, tls
        self.asked: list[Asked] = []
        self.root: str = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def base(self) -> str:
        """Its address, up to /v1."""
        return f"{self.root}/v1"

    def of(self, prompt: str = PROMPT) -> list[Asked]:
        """The requests with this prompt."""
        return [one for one in list(self.asked) if one.prompt == prompt]

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        port = server.sockets[0].getsockname()[1]
        self.root = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            while await self._exchange(reader, writer):
                pass
        with contextlib.suppress(ConnectionError, RuntimeError):
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request with its reply; whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        raw = await reader.readexactly(int(headers.get("content-length") or 0))
        asked = Asked(method, unquote(path), headers, json.loads(raw) if raw else {}, 0, time.monotonic())
        asked = asked._replace(number=len(self.of(asked.prompt)) if asked.prompt else 0)
        self.asked.append(asked)
        found = self._answer(asked)
        reply = found if isinstance(found, Reply) else await found
        lines = [f"HTTP/1.1 {reply.status} So", "Transfer-Encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        for chunk in reply.chunks:
            if isinstance(chunk, bytes):
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await writer.drain()
            else:
                await asyncio.sleep(chunk)
        if reply.whole:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return reply.whole
