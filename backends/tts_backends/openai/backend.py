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
from tts_backends.openai.ask import Ask, Sent, told_prompt
from tts_backends.openai.errors import Trouble, unreadable
from tts_backends.openai.events import DONE, Events
from tts_backends.openai.habits import Habits
from tts_backends.openai.link import Link
from tts_backends.openai.overflow import Overflow
from tts_backends.openai.pool import Pool
from tts_backends.openai.probe import Found, probe, tokens
from tts_backends.openai.repeats import Repeats
from tts_backends.openai.server import Server
from tts_backends.openai.wire import Dialect, Wire, estimate

__all__ = ["OpenAIBackend"]

# Below so many seconds per request and request in flight it is the asking that takes the time, not the server.
_CLIENT_BOUND = 0.001
_LONG_PROMPT, _CUT = 1000, 4  # tokens from which a prompt is looked at, and how much too short a count must be
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
        markers = (options.think_open, options.think_close)
        self._wire = Wire(model, options.api, options.stream, markers, options.further())
        self._repeats, self._told = Repeats(), set[str]()
        self._names_endings, self._unnamed = False, 0
        self._dialect, self._habits = self._found(run_sync(self._probe))
        self.fingerprint = self._fingerprint()
        self.capabilities = Capabilities(
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

    def _found(self, found: Found) -> tuple[Dialect, Habits]:
        for remark in found.remarks:
            self._say(remark)
        return found.dialect, found.habits

    def _say(self, remark: str) -> None:
        """One warning for one thing."""
        if remark not in self._told:
            self._told.add(remark)
            warnings.warn(f"{self.name}: {remark}", stacklevel=3)

    def _fingerprint(self) -> str:
        wire, identity = self._wire, self._dialect.identity
        further = [json.dumps(wire.further, sort_keys=True)] if wire.further else []
        settings = (wire.model, wire.api, *wire.markers, identity, *self._options.tags(), *further)
        return hashlib.blake2b(json.dumps(["openai", settings]).encode(), digest_size=16).hexdigest()

    def _parts(self, link: Link, n: int) -> list[tuple[int, ...]]:
        """Which completions share a request."""
        dialect, options = self._dialect, self._options
        together = dialect.n and not (options.stream or self._habits.drops("n")) and options.grouping != "never"
        if together and options.grouping == "auto":
            seconds = link.seconds_per_request
            together = not dialect.seed and seconds is not None and seconds < _CLIENT_BOUND * max(link.in_flight, 1)
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
        path, started = self._wire.path, time.monotonic()
        if self._wire.stream:
            events = Events(self._wire.api, ask.telling(indices), self._wire.markers)
            ask.streams[indices[0]] = events
            answer = await link.stream(server, path, sent.body, events)
        else:
            answer = await link.post(server, path, sent.body)
            link.took(time.monotonic() - started)
        seconds = round(time.monotonic() - started, 6)
        told = answer.get("system_fingerprint")
        origin = {"server": server.address.origin, "system_fingerprint": told[:200] if isinstance(told, str) else None}
        try:
            if self._wire.stream:
                self._end_unsaid(answer, sent)
            read = self._wire.read(
                answer, indices, ask.request.sampling.logprobs, seconds, lost=ask.request.on_cancelled
            )
            return [self._uncut(one.model_copy(update=origin), ask, answer) for one in read]
        except BackendError as error:
            raise Trouble(BackendError(f"{server.address.base}: {error}", retryable=error.retryable)) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise unreadable(link.scrubbed(json.dumps(answer).encode()), server.address.base) from None

    def _end_unsaid(self, answer: dict[str, Any], sent: Sent) -> None:
        """Give a stream that is said to be over, and nothing more, the ending that it has had.

        Where the server names endings, one without is broken off; one that never does is taken at its word.
        """
        for choice in answer["choices"]:
            if choice.get("finish_reason") != DONE:
                self._names_endings = self._names_endings or bool(choice.get("finish_reason"))
                continue
            self._unnamed += 1
            if self._names_endings or self._unnamed < 2:
                choice["finish_reason"] = None
                continue
            written = (answer.get("usage") or {}).get("completion_tokens") or 0
            choice["finish_reason"] = "length" if sent.most is not None and written >= sent.most else "stop"
            self._say(
                "the server ends its streams without a finish_reason; a completion counts as cut where its usage says "
                "so, else as whole"
            )

    def _uncut(self, completion: Completion, ask: Ask, answer: dict[str, Any]) -> Completion:
        """The completion, or a failed one where the server has read a part of the prompt only."""
        told = told_prompt(answer)
        if not told or ask.estimated < _LONG_PROMPT or told * _CUT > ask.estimated:
            return completion
        why = (
            f"the server has read {told:,} tokens of a prompt of about {ask.estimated:,}: it cuts what is longer than "
            "its context without a word; start it with a longer one (Ollama: OLLAMA_CONTEXT_LENGTH), or shorten the "
            "prompt"
        )
        return Completion(index=completion.index, text="", finish_reason="error", usage=completion.usage, error=why)

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
        if not self._habits.learn(name, str(trouble)):
            return self._habits.drops(name)  # another request has learnt it in between
        if name in self.dropped:
            self._say(f"{name} is refused, and left out from now on; the server's own setting holds ({trouble})")
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
            written = ask.streams[index].tokens() if index in ask.streams else 0
            ask.request.on_cancelled(
                Usage(calls=1, prompt_tokens=ask.prompt_tokens, answer_tokens=written, cancelled=1)
            )

    async def _count(self, link: Link, text: str) -> int:
        found = await tokens(link, await link.choose(paced=False), self._wire.model, text)
        return estimate(text) if found is None else found
