"""SGLang: an engine that is started for this run, or servers that run already, through their native interface."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from pydantic import BaseModel

from tts import (
    BackendError,
    BackendUnavailable,
    Capabilities,
    Completion,
    ContextLengthError,
    Request,
    Usage,
)
from tts_backends.checkpoints.request import prepare
from tts_backends.checkpoints.telling import Telling, tellings
from tts_backends.foreign import in_thread
from tts_backends.openai.errors import Trouble, unreadable
from tts_backends.openai.link import Link
from tts_backends.openai.server import Server
from tts_backends.sglang import serve as sglang_serve
from tts_backends.sglang.pieces import Pieces
from tts_backends.sglang.request import Answer, Ask
from tts_backends.sglang.serve import serve

__all__ = ["SGLangBackend"]

_QUEUED = 4  # of so many completions that run one more waits at the engine: a free place is taken in the same step
_GRACE, _AGAIN = 10.0, 0.1  # seconds that aborted completions have to come back, and between two aborts
_ENGINE = {
    "log_level": "error",
    "max_running_requests": "256",
    "enable_priority_scheduling": "true",
    "schedule_low_priority_values_first": "true",
    "priority_scheduling_preemption_threshold": str(2**62),  # what runs goes on
}


class SGLangBackend:
    """Any language model that SGLang runs: `sglang:model` starts an engine, `@base_url=` asks servers, one or a pool.

    Messages are encoded here, as the hf backend does it: through the model's chat template, special tokens in their
    contents as plain text; the server gets tokens and gives tokens. Each completion is a request of its own. Where
    there are several, the prompt goes ahead once to fill the server's prefix cache, as SGLang does it itself for `n`.
    Abandoned completions are aborted at the server.

    `capabilities.seed` is true where the engine runs with `enable_deterministic_inference`, which needs a GPU.
    `logprob` sums the model's own distribution, before temperature, top-p and top-k; servers do that where they were
    started with RETURN_ORIGINAL_LOGPROB=1 in their environment. Cached tokens are those that the engine reports.
    """

    Options: type[BaseModel] = sglang_serve.Options

    def __init__(self, model: str, options: sglang_serve.Options) -> None:
        """Start the engine, or find the servers.

        Raises `ConfigError`, `MissingDependencyError` or `BackendUnavailable`.
        """
        self.name = f"sglang:{model}"
        self._served = serve(self.name, model, options, _ENGINE)
        self._pool, self._chat, facts = self._served.pool, self._served.chat, self._served.facts
        process = self._served.process
        self._stop = weakref.finalize(self, process.stop) if process else None  # also at exit
        end = self._chat.end_token()
        self._ends = [] if end is None else [end]
        at_once = options.concurrency * len(self._pool.addresses)
        if process and facts.at_once:
            at_once = facts.at_once + facts.at_once // _QUEUED
        self.fingerprint = self._served.fingerprint(options)
        self.servers = self._served.servers
        self.capabilities = Capabilities(
            streams=True,
            response_format=facts.structured,
            seed=facts.seed,
            logprobs=True,
            exact_token_counts=True,
            context_length=facts.context,
            concurrency=at_once,
            prompts=self._served.prompts,
        )

    def outdated(self) -> bool:
        """Whether the files of an engine of its own have changed since it was started."""
        return self._served.files is not None and self._served.files.changed()

    async def at_work(self) -> bool | None:
        """`False` where no server that owes an answer is there; else it is not known."""
        return await (await self._pool.link()).at_work()

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yield the request's completions as they finish; see `tts.Backend`."""
        link, facts = await self._pool.link(), self._served.facts
        ask = Ask(request, await prepare(self._chat, request, facts.context, self.name), self._ends, facts)
        told = {} if request.sampling.logprobs else tellings(request, self._chat)
        ended: asyncio.Queue[asyncio.Task[Answer]] = asyncio.Queue()
        asking: dict[asyncio.Task[Answer], int] = {}
        failure: Exception | None = None
        lead = asyncio.create_task(self._lead(link, ask)) if request.n > 1 else None
        if lead is not None:
            lead.add_done_callback(lambda done: done.cancelled() or done.exception())  # else asyncio complains of it
        try:
            for index in range(request.n):
                task = asyncio.create_task(self._complete(link, ask, index, lead, told.get(index)))
                asking[task] = index
                task.add_done_callback(ended.put_nowait)
            while asking:
                task = await ended.get()
                try:
                    answer = task.result()
                except Exception as error:  # the others are still worth having
                    failure = failure or error
                    del asking[task]
                    continue
                completion = await in_thread(answer.completion, self._chat, ask, asking[task])
                if completion.index in told and completion.whole:
                    told[completion.index].end(completion.text)
                del asking[task]
                yield completion
        finally:
            if lead is not None:
                lead.cancel()
            if asking:
                await self._withdraw(link, ask, asking)
        if failure is not None:
            raise failure

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, exactly, special tokens read as plain text."""
        return await in_thread(self._chat.count, texts)

    async def aclose(self) -> None:
        """End the engine where it is ours, and the connections; requests that are under way fail."""
        await self._pool.aclose()
        if self._stop is not None:
            await asyncio.to_thread(self._stop)

    # --- pieces ----------------------------------------------------------------------------------------------------

    async def _lead(self, link: Link, ask: Ask) -> Server | None:
        """Have the prompt computed, so that the completions share it; where it went, `None` where that failed."""
        if not self._served.facts.shares_prefixes:
            return None
        server = await link.choose()
        try:
            ask.led = Answer.of(await link.aside(server, "/../generate", ask.prefill()))
        except (Trouble, ValueError, KeyError, TypeError):
            return None  # each completion finds out for itself
        return server

    async def _complete(
        self, link: Link, ask: Ask, index: int, lead: asyncio.Task[Server | None] | None, told: Telling | None
    ) -> Answer:
        """One completion, after as many attempts as it takes, the first of them told; raises `BackendError`."""

        async def once(server: Server) -> Answer:
            nonlocal told
            now, told = told, None
            return await self._once(link, server, ask, index, now)

        def refit(trouble: Trouble) -> bool:
            if trouble.overflow is None:
                return False
            raise ContextLengthError(len(ask.prompt.ids), self._served.facts.context, self.name)

        try:
            first = await asyncio.shield(lead) if lead is not None else None
            return await self._pool.persist(link, once, refit, first=first)
        except BackendError as error:
            raise await self._explained(error) from None

    async def _once(self, link: Link, server: Server, ask: Ask, index: int, told: Telling | None) -> Answer:
        body = ask.body(index, stream=told is not None)
        ask.at[index] = server
        try:
            if told is None:
                said = await link.post(server, "/../generate", body)
            else:
                said = await self._followed(link, server, ask, body, told)
        finally:
            del ask.at[index]
        try:
            answer = Answer.of(said)
        except (ValueError, KeyError, TypeError):
            raise unreadable(repr(said).encode(), server.address.base) from None
        if answer.aborted and not ask.withdrawn:
            tail = f": {answer.message}" if answer.message else ""
            raise Trouble(BackendUnavailable(f"{self.name!r}: the server has aborted a request{tail}"))
        return answer if self._served.process else answer._replace(server=server.address.origin)

    async def _followed(self, link: Link, server: Server, ask: Ask, body: bytes, told: Telling) -> dict[str, Any]:
        """The answer to one attempt, told while it comes; raises `Trouble`, also where tokens are missing in it."""
        pieces = Pieces(lambda tokens: None if ask.withdrawn else told.more(tokens))
        said = await link.stream(server, "/../generate", body, pieces)
        if pieces.broken:
            usage = Usage(
                calls=1, prompt_tokens=len(ask.prompt.ids), answer_tokens=said["meta_info"]["completion_tokens"]
            )
            ask.request.on_cancelled(usage.model_copy(update={"cancelled": 1}))
            words = f"{self.name!r}: the server has left tokens out of a stream; they are asked for in one piece"
            raise Trouble(BackendError(words, retryable=True))
        return said

    async def _explained(self, error: BackendError) -> BackendError:
        """The error, or what it comes of where the engine is ours and has ended."""
        if self._stop is not None and not self._stop.alive:
            return BackendError(f"{self.name!r} is closed")
        process = self._served.process
        if process and isinstance(error, BackendUnavailable) and await asyncio.to_thread(process.has_ended):
            reason = f"the engine of {self.name!r} has died; its messages say why"
            return BackendUnavailable(reason, retryable=False)
        return error

    async def _withdraw(self, link: Link, ask: Ask, asking: dict[asyncio.Task[Answer], int]) -> None:
        """Abort what is left at the server, wait until it has let go of it, and report what it has cost."""
        ask.withdrawn = True
        for task, index in asking.items():
            if index not in ask.at:
                task.cancel()
        until = asyncio.get_running_loop().time() + _GRACE
        waiting = set(asking)
        while waiting and asyncio.get_running_loop().time() < until:
            # An abort that overtakes its request is lost, so they are repeated until the request is back.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await asyncio.gather(*(_abort(link, server, ask.abort(index)) for index, server in ask.at.items()))
            _, waiting = await asyncio.wait(waiting, timeout=_AGAIN)
        for task in waiting:
            task.cancel()
        over = await asyncio.gather(*asking, return_exceptions=True)
        for index, answer in zip(asking.values(), over, strict=True):
            usage = Usage(calls=1)
            if isinstance(answer, Answer) and answer.tokens:
                usage = answer.completion(self._chat, ask, index).usage
            ask.request.on_cancelled(usage.model_copy(update={"cancelled": 1}))


async def _abort(link: Link, server: Server, body: bytes) -> None:
    try:
        await link.tell(server, "/../abort_request", body)
    except Trouble:
        return  # the next attempt, or the end of the connection, will do it
