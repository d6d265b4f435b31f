"""Any server with OpenAI's interface: vLLM, SGLang, llama.cpp, Ollama, hosted services; one of them or a pool."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from pydantic import BaseModel

from tts import (
    BackendError,
    BackendTimeout,
    Capabilities,
    Completion,
    ConfigError,
    ContextLengthError,
    Request,
    Usage,
    run_sync,
)
from tts_backends.openai import options as openai_options
from tts_backends.openai.errors import Trouble, unreadable
from tts_backends.openai.link import Link
from tts_backends.openai.pool import Pool
from tts_backends.openai.probe import PROBE_SECONDS, probe, tokens
from tts_backends.openai.server import Server
from tts_backends.openai.wire import DEFAULT_TOKENS, Dialect, Events, Wire, estimate

__all__ = ["OpenAIBackend"]

# Below so many seconds per request and request in flight it is the asking that takes the time, not the server.
_CLIENT_BOUND = 0.001


class OpenAIBackend:
    """A model behind chat completions or completions; what the server can do is probed once, when it is loaded.

    Each completion is a request of its own with its own seed, yielded when it is there. Where the server takes `n` and
    no seed, and answers faster than we can ask, the completions of one prompt are one request. A completion that fails
    is asked for again, on another server where there is one; the others go on. One that is refused is not.

    `fingerprint` is what the server says of the model, not its address: a pool, a new port or a proxy find what is
    stored. `capabilities.seed` says that the server follows seeds; with 16-bit weights a batch may still change a
    close choice. Token counts are the server's; without its `/tokenize`, `count_tokens` is an estimate.
    """

    Options: type[BaseModel] = openai_options.Options

    def __init__(self, model: str, options: openai_options.Options) -> None:
        """Probe the server; raises `ConfigError` or `BackendUnavailable`."""
        options.refuse_address(model)
        self.name = f"openai:{model}"
        self._options = options
        self._pool = Pool("openai", options.addresses(), options.access(), options.limits(), options.retries)
        self._wire = Wire(model, options.api, options.stream, (options.think_open, options.think_close))
        self._dialect: Dialect = run_sync(self._probe)
        self.fingerprint = self._fingerprint()
        self.capabilities = Capabilities(
            seed=self._dialect.seed and options.grouping != "always",
            logprobs=self._dialect.logprobs,
            exact_token_counts=self._dialect.tokenize and self._dialect.usage,
            context_length=self._dialect.context,
            concurrency=options.concurrency * len(self._pool.addresses),
        )

    def __repr__(self) -> str:
        return f"OpenAIBackend({self.name!r}, {', '.join(address.base for address in self._pool.addresses)})"

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yield the request's completions as they come; see `tts.Backend`."""
        if len(request.seeds) != request.n:
            raise ConfigError(
                f"a request for {request.n} completions has {len(request.seeds)} seeds; give one for each"
            )
        link = await self._pool.link()
        ask = _Ask(request, self._wire.body(request, self._dialect), self._dialect.seed)
        ended: asyncio.Queue[asyncio.Task[list[Completion]]] = asyncio.Queue()
        asking: dict[asyncio.Task[list[Completion]], tuple[int, ...]] = {}
        failure: Exception | None = None

        def start(indices: tuple[int, ...]) -> None:
            task = asyncio.create_task(self._complete(link, ask, indices))
            asking[task] = indices
            task.add_done_callback(ended.put_nowait)

        try:
            for indices in self._parts(link, request.n):
                start(indices)
            while asking:
                task = await ended.get()
                indices = asking.pop(task)
                try:
                    arrived = task.result()
                except Exception as error:  # the others are still worth having
                    failure = failure or error
                    continue
                for completion in arrived:
                    ask.prompt_tokens = completion.usage.prompt_tokens
                    yield completion
                there = {completion.index for completion in arrived}
                for index in indices:
                    if index not in there:  # fewer choices than asked for, or one that was broken off
                        start((index,))
        finally:
            if asking:
                await self._withdraw(ask, asking)
        if failure is not None:
            raise failure

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text by the server's tokenizer, or an estimate of four bytes a token."""
        if not self._dialect.tokenize:
            return [estimate(text) for text in texts]
        link = await self._pool.link()
        counts = await asyncio.gather(*(self._count(link, text) for text in texts))
        return list(counts)

    async def at_work(self) -> bool | None:
        """Whether tokens are coming, which only a stream shows; `None` where nobody knows and a server is there."""
        return await (await self._pool.link()).at_work()

    async def aclose(self) -> None:
        """Close the connections of this event loop; those of others close with their loop."""
        await self._pool.aclose()

    # --- pieces ----------------------------------------------------------------------------------------------------

    async def _probe(self) -> Dialect:
        link = await self._pool.link()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await probe(link, self._wire, self._options.context_length)
        except TimeoutError:
            raise BackendTimeout(f"{self!r} has not answered for {PROBE_SECONDS:g} s", retryable=False) from None
        finally:
            await self._pool.release()

    def _fingerprint(self) -> str:
        settings = (self._wire.model, self._wire.api, *self._wire.markers, self._dialect.identity)
        return hashlib.blake2b(json.dumps(["openai", settings]).encode(), digest_size=16).hexdigest()

    def _parts(self, link: Link, n: int) -> list[tuple[int, ...]]:
        """Which completions share a request."""
        dialect, options = self._dialect, self._options
        together = dialect.n and not options.stream and options.grouping != "never"
        if together and options.grouping == "auto":
            seconds = link.seconds_per_request
            together = not dialect.seed and seconds is not None and seconds < _CLIENT_BOUND * max(link.in_flight, 1)
        return [tuple(range(n))] if together and n > 1 else [(index,) for index in range(n)]

    async def _complete(self, link: Link, ask: _Ask, indices: tuple[int, ...]) -> list[Completion]:
        """Completions for the first of these indices, at least one; raises `BackendError`."""

        async def once(server: Server) -> list[Completion]:
            try:
                return await self._once(link, server, ask, indices)
            except Trouble as trouble:
                if not trouble.filtered:
                    raise
                why = str(trouble.error)
                return [Completion(index=i, text="", finish_reason="refused", error=why) for i in indices]

        return await self._pool.persist(link, once, lambda trouble: self._fit(ask, trouble))

    async def _once(self, link: Link, server: Server, ask: _Ask, indices: tuple[int, ...]) -> list[Completion]:
        body, path, started = ask.encoded(indices), self._wire.path, time.monotonic()
        if self._wire.stream:
            events = Events(self._wire.api)
            ask.streams[indices[0]] = events
            answer = await link.stream(server, path, body, events)
        else:
            answer = await link.post(server, path, body)
            link.took(time.monotonic() - started)
        seconds = round(time.monotonic() - started, 6)
        try:
            return self._wire.read(
                answer, indices, ask.request.sampling.logprobs, seconds, lost=ask.request.on_cancelled
            )
        except BackendError as error:
            raise Trouble(BackendError(f"{server.address.base}: {error}", retryable=error.retryable)) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise unreadable(link.scrubbed(json.dumps(answer).encode()), server.address.base) from None

    def _fit(self, ask: _Ask, trouble: Trouble) -> None:
        """Ask for no more new tokens than there is room for; raises `ContextLengthError` where there is none."""
        assert trouble.overflow is not None
        context = trouble.overflow.context or self._dialect.context
        prompt = trouble.overflow.prompt or estimate("".join(m.content for m in ask.request.messages))
        if context is None:
            raise trouble.error from None
        room = context - prompt
        asked = ask.body.get(self._dialect.limit)
        if room < 1 or (asked is not None and asked <= room):
            raise ContextLengthError(prompt, context, self.name) from None
        ask.limit(self._dialect.limit, min(room, ask.request.sampling.max_tokens or DEFAULT_TOKENS))

    async def _withdraw(self, ask: _Ask, asking: dict[asyncio.Task[list[Completion]], tuple[int, ...]]) -> None:
        """Close the connections, by which a server notices, and report what is known of the cost."""
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        for index in sorted(index for indices in asking.values() for index in indices):
            written = ask.streams[index].tokens() if index in ask.streams else 0
            ask.request.on_cancelled(
                Usage(calls=1, prompt_tokens=ask.prompt_tokens, answer_tokens=written, cancelled=1)
            )

    async def _count(self, link: Link, text: str) -> int:
        found = await tokens(link, await link.choose(), self._wire.model, text)
        return estimate(text) if found is None else found


class _Ask:
    """A request as it is sent: one body for all its completions, but for seed and number."""

    def __init__(self, request: Request, body: dict[str, Any], seeded: bool) -> None:
        self.request, self.body, self._seeded = request, body, seeded
        self._head = self._encode()
        self.streams: dict[int, Events] = {}
        self.prompt_tokens = 0

    def _encode(self) -> bytes:
        return json.dumps(self.body).encode()[:-1]

    def limit(self, name: str, most: int) -> None:
        """Ask for at most so many new tokens from now on."""
        self.body[name] = most
        self._head = self._encode()

    def encoded(self, indices: tuple[int, ...]) -> bytes:
        """The body for these completions; a seed belongs to one, so a group has the seed of its first.

        Servers differ in how long a seed may be: all take 31 bits.
        """
        seed = b', "seed": %d' % (self.request.seeds[indices[0]] & 0x7FFFFFFF) if self._seeded else b""
        number = b', "n": %d' % len(indices) if len(indices) > 1 else b""
        return self._head + seed + number + b"}"
