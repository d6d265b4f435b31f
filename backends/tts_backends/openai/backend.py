"""Any server with OpenAI's interface: vLLM, SGLang, llama.cpp, Ollama, hosted services; one of them or a pool."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import warnings
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from pydantic import BaseModel

from tts import (
    BackendError,
    Capabilities,
    Completion,
    ConfigError,
    ContextLengthError,
    Request,
    Usage,
    run_sync,
)
from tts_backends.openai import options as openai_options
from tts_backends.openai.ask import Ask, Sent
from tts_backends.openai.card import last_part
from tts_backends.openai.counts import estimate, uncounted
from tts_backends.openai.doubts import Endings, uncut
from tts_backends.openai.errors import Trouble, unreadable
from tts_backends.openai.events import Events
from tts_backends.openai.habits import Habits
from tts_backends.openai.link import Link
from tts_backends.openai.meter import Meter
from tts_backends.openai.overflow import Overflow
from tts_backends.openai.pool import Pool
from tts_backends.openai.probe import Found, probe, tokens
from tts_backends.openai.repeats import Repeats
from tts_backends.openai.server import Address, Server
from tts_backends.openai.tools import offered
from tts_backends.openai.wire import ASKED, Dialect, Wire

__all__ = ["OpenAIBackend"]

# Below so many seconds per request and request in flight it is the asking that takes the time, not the server.
_CLIENT_BOUND = 0.001
_FIRST_ONLY = (
    "the server counts the tokens of the first completion only where several are asked for in one request; those of "
    "the others are estimated from its length"
)
_SAME = (
    "completions of one prompt are the same to the letter although they are drawn at a temperature above 0: a cache "
    "answers in the model's place, or the temperature has no effect, and a vote over copies says nothing; turn the "
    "cache off for this run"
)


class OpenAIBackend:
    """A model behind chat completions or completions; what the server can do is probed once, when it is loaded.

    Each completion is a request of its own with its own seed, yielded when it is there. Where the server takes `n` and
    no seed, and answers faster than we can ask, the completions of one prompt are one request. A completion that fails
    is asked for again, on another server where there is one; the others go on. One that is refused is not.

    `fingerprint` is what the server says of the model, not its address or its folder: a pool, a new port or a proxy
    find what is stored. `capabilities.seed` says that the server follows seeds; with 16-bit weights a batch may still
    change a close choice. Token counts are the server's; without its `/tokenize`, `count_tokens` is an estimate.
    """

    Options: type[BaseModel] = openai_options.Options

    def __init__(self, model: str, options: openai_options.Options) -> None:
        """Probe the server; raises `ConfigError` or `BackendUnavailable`."""
        options.refuse_address(model)
        self.name = f"openai:{model}"
        self._options = options
        markers = (options.think_open, options.think_close)
        self._wire = Wire(model, options.api, options.stream, markers, options.further())
        self._way = options.addresses(), options.access().headers
        self._pool = Pool(
            "openai", self._way[0], options.access(), options.limits(), options.retries, self._wire.greeting
        )
        self._repeats, self._told = Repeats(), set[str]()
        self._endings = Endings(self._say)
        self._dialect, self._habits, self._meter = self._found(run_sync(self._probe))
        for name, words in self.dropped.items():
            self._say_dropped(name, words)
        self.fingerprint = self._fingerprint()
        self.asked_as: str = self._asked_as()
        chat = options.api == "chat"
        self.capabilities = Capabilities(
            response_format=chat,
            tools=chat,
            raw=chat,
            streams=self._wire.stream,
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
        ask = Ask(request, self._wire, self._dialect, self._habits)
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
                    self._compare(ask, completion)
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

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses that are asked, without anything secret."""
        return tuple(address.origin for address in self._pool.addresses)

    def take_aside(self) -> Usage:
        """What was spent beside requests, on finding out what the server can do, since this was last asked."""
        return self._meter.take_aside(self._pool.known)

    @property
    def limited(self) -> str:
        """The limits that the servers have now, as learnt, in words; empty where there are none."""
        return self._pool.limited

    def outdated(self) -> bool:
        """Whether the environment, or a file with a key, leads elsewhere now, or lets in with another key."""
        try:
            return self._way != (self._options.addresses(), self._options.access().headers)
        except ConfigError:  # said by who loads the model anew
            return True

    async def at_work(self) -> bool | None:
        """Whether tokens are coming, which only a stream shows; `None` where nobody knows and a server is there."""
        return await (await self._pool.link()).at_work()

    async def aclose(self) -> None:
        """Close the connections of this event loop; those of others close with their loop."""
        await self._pool.aclose()

    # --- pieces ----------------------------------------------------------------------------------------------------

    @property
    def dropped(self) -> dict[str, str]:
        """What the server has refused of the sampling and is not sent any more, with its words."""
        limits = {"max_tokens", "max_completion_tokens"}
        renamed = limits - {self._habits.limit} if not self._habits.drops(self._habits.limit) else set()
        return {name: words for name, words in self._habits.refused.items() if name not in renamed}

    async def _probe(self) -> Found:
        link = await self._pool.link()
        try:
            return await probe(link, self._wire, self._options.context_length)
        finally:
            await self._pool.release()

    def _found(self, found: Found) -> tuple[Dialect, Habits, Meter]:
        for remark in found.remarks:
            self._say(remark)
        count = self._counted if found.dialect.tokenize else None
        meter = Meter(self._wire, count, first_only=found.dialect.first_only, spent=found.spent)
        return found.dialect, found.habits, meter

    def _say(self, remark: str) -> None:
        """One warning for one thing."""
        if remark not in self._told:
            self._told.add(remark)
            warnings.warn(f"{self.name}: {remark}", stacklevel=3)

    def _say_dropped(self, name: str, words: str) -> None:
        self._say(f"{name} is refused, and left out from now on; the server's own setting holds ({words})")

    def _fingerprint(self) -> str:
        if self._options.fingerprint:
            return self._options.fingerprint
        wire, identity = self._wire, self._dialect.identity
        further = [json.dumps(wire.further, sort_keys=True)] if wire.further else []
        settings = (last_part(wire.model), wire.api, *wire.markers, identity, *self._options.tags(), *further)
        return hashlib.blake2b(json.dumps(["openai", settings]).encode(), digest_size=16).hexdigest()

    def _asked_as(self) -> str:
        """The model's name with what of its options changes what it writes: all that a fingerprint has of ours."""
        wire, options = self._wire, self._options
        told = {"api": wire.api, "think_open": options.think_open, "think_close": options.think_close}
        usual = {name: type(options).model_fields[name].default for name in told}
        changed = {name: value for name, value in told.items() if value != usual[name]} | (wire.further or {})
        changed |= {"tag": options.tag} if options.tag else {}
        return f"{self.name}@{json.dumps(changed, sort_keys=True)}" if changed else self.name

    def _parts(self, link: Link, n: int) -> list[tuple[int, ...]]:
        """Which completions share a request."""
        dialect, options = self._dialect, self._options
        together = dialect.n and not (options.stream or self._habits.drops("n")) and options.grouping != "never"
        if together and options.grouping == "auto":
            seconds = link.seconds_per_request
            quick = seconds is not None and seconds < _CLIENT_BOUND * max(link.in_flight, 1)
            together = quick and not dialect.seed and not self._meter.first_only
        return [tuple(range(n))] if together and n > 1 else [(index,) for index in range(n)]

    async def _complete(self, link: Link, ask: Ask, indices: tuple[int, ...]) -> list[Completion]:
        """Completions for the first of these indices, at least one; raises `BackendError`."""
        sent = ask.sent(indices)

        async def once(server: Server) -> list[Completion]:
            nonlocal sent
            sent = ask.sent(indices)
            try:
                return await self._once(link, server, ask, indices, sent)
            except Trouble as trouble:
                if not trouble.filtered:
                    raise
                why = str(trouble.error)
                return [Completion(index=i, text="", finish_reason="refused", error=why) for i in indices]

        return await self._pool.persist(
            link, once, lambda trouble: self._refit(ask, sent, trouble), ask.request.priority
        )

    async def _once(
        self, link: Link, server: Server, ask: Ask, indices: tuple[int, ...], sent: Sent
    ) -> list[Completion]:
        started = time.monotonic()
        answer = await self._answer(link, server, ask, indices, sent)
        seconds = round(time.monotonic() - started, 6)
        found = await self._completions(link, server.address, ask, indices, sent, answer, seconds)
        if uncounted(answer.get("usage")):
            server.pace.spent(sum(one.usage.total_tokens for one in found))
        return found

    async def _completions(
        self, link: Link, address: Address, ask: Ask, indices: tuple[int, ...], sent: Sent, answer: dict[str, Any],
        seconds: float,
    ) -> list[Completion]:  # fmt: skip
        """What an answer from this address says; raises `Trouble`."""
        told = answer.get("system_fingerprint")
        origin = {
            "server": address.origin,
            "system_fingerprint": told[:200] if isinstance(told, str) else None,
            "model": self.asked_as,
            "dropped": self._habits.undrawn(sent.names),
        }
        try:
            if self._wire.stream:
                self._endings.settle(answer, sent.most)
            counting = await self._meter.counting(answer, ask, sent, len(indices), seconds)
            if counting.first_only and len(indices) > 1:
                self._say(_FIRST_ONLY)
            lost = ask.request.on_cancelled
            sampling, tools = ask.request.sampling, offered(ask.request)
            read = self._wire.read(answer, indices, sampling.logprobs, counting, lost, tools=tools)
            return [uncut(one.model_copy(update=origin), ask, answer) for one in read]
        except BackendError as error:
            raise Trouble(BackendError(f"{address.base}: {error}", retryable=error.retryable)) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise unreadable(link.scrubbed(json.dumps(answer).encode()), address.base) from None

    async def _answer(
        self, link: Link, server: Server, ask: Ask, indices: tuple[int, ...], sent: Sent
    ) -> dict[str, Any]:
        """The answer to one attempt; one that is broken off has its cost all the same."""
        index = indices[0]
        ask.streams.pop(index, None)
        ask.under_way.add(index)
        try:
            if self._wire.stream:
                events = ask.streams[index] = Events(self._wire.api, ask.telling(indices), self._wire.markers)
                answer = await link.stream(server, self._wire.path, sent.body, events)
            else:
                started = time.monotonic()
                answer = await link.post(server, self._wire.path, sent.body)
                link.took(time.monotonic() - started)
        except Trouble as trouble:
            self._meter.in_vain(ask, index, trouble)
            ask.under_way.discard(index)
            raise
        ask.under_way.discard(index)
        return answer

    def _compare(self, ask: Ask, completion: Completion) -> None:
        """Notice where completions of one prompt are all the same although they are drawn."""
        if not completion.whole or ask.request.sampling.temperature == 0:
            return
        if ask.first is None:
            ask.first = completion.text
        elif self._repeats.note(completion.text, ask.first):
            self._say(_SAME)

    def _refit(self, ask: Ask, sent: Sent, trouble: Trouble) -> bool:
        """Whether the request is another now; raises where the server refuses what the run cannot be without."""
        if trouble.overflow is not None:
            self._shorten(ask, sent, trouble, trouble.overflow)
            return True
        name = trouble.parameter
        assert name is not None
        if name not in sent.names:
            return False
        sampling = ask.request.sampling
        if (name == "logprobs" and sampling.logprobs) or name == "seed":
            what = "log-probabilities" if name == "logprobs" else "seeds, which it followed when it was asked at first"
            raise BackendError(f"{trouble}; this run needs {what}") from None
        if name in ASKED:
            raise BackendError(f"{trouble}; {name} was asked for, and cannot be left out") from None
        if not self._habits.learn(name, str(trouble)):
            return self._habits.drops(name)  # another request has learnt it in between
        if name in self.dropped:
            self._say_dropped(name, str(trouble))
        return True

    def _shorten(self, ask: Ask, sent: Sent, trouble: Trouble, said: Overflow) -> None:
        """Ask for no more new tokens than there is room for, as far as *this* attempt had asked for more.

        Raises `ContextLengthError`, or the server's words where the lengths are not known.
        """
        context, prompt = said.context or self._dialect.context, said.prompt or ask.estimated
        if said.most is not None:
            room = said.most
        elif context is not None and (said.context or said.prompt or sent.most is None):
            room = context - prompt
        else:  # no number at all: much less may fit
            room = (sent.most or 0) // 8
        if room < 1 or (sent.most is not None and sent.most <= room):
            if context is None or said.most is not None:
                raise trouble.error from None
            raise ContextLengthError(prompt, context, self.name) from None
        ask.limit(room)

    async def _withdraw(self, ask: Ask, asking: dict[asyncio.Task[list[Completion]], tuple[int, ...]]) -> None:
        """Close the connections, by which a server notices, and report what is known of the cost."""
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        for index in sorted(index for indices in asking.values() for index in indices):
            self._meter.withdrawn(ask, index)

    async def _counted(self, text: str) -> int:
        return await self._count(await self._pool.link(), text)

    async def _count(self, link: Link, text: str) -> int:
        found = await tokens(link, await link.choose(paced=False), self._wire.model, text)
        return estimate(text) if found is None else found
