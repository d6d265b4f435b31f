"""A model behind a batch service, where every draw of a stage is a line of one file that is answered as a whole."""

from __future__ import annotations

import json
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from tts import BackendError, Completion, Usage
from tts_backends.openai.ask import Ask, Sent
from tts_backends.openai.backend import OpenAIBackend
from tts_backends.openai.errors import Trouble, refusal
from tts_backends.openai.habits import Habits
from tts_backends.openai.link import Link
from tts_backends.openai.probe import Found
from tts_backends.openai.wire import Dialect
from tts_backends.openai_batch import options as batch_options
from tts_backends.openai_batch.gatherer import Gatherer
from tts_backends.openai_batch.ledger import Ledger
from tts_backends.openai_batch.row import Answer, Row
from tts_backends.openai_batch.run_batch import RunBatch
from tts_backends.openai_batch.service import BatchService, Service

__all__ = ["OpenAIBatchBackend"]

_FILES = 2  # files of requests that may be under way at once; more problems than that are not held
# What vLLM documents of its server, which its program for files shares; there is nobody to ask.
_VLLM = Dialect(n=True, seed=True, logprobs=True, usage=True)


class OpenAIBatchBackend(OpenAIBackend):
    """The model of `openai:` by way of batches, at half the price and within a day.

    It gathers what is asked for side by side, and the engine asks for all that it wants: `capabilities.concurrency` is
    as much as some files hold. A request belongs to a batch from when it stands in the ledger, which is on the disk
    before anything is sent; whoever asks the same again gets that batch's answer. Cancelling a request leaves its
    batch to go on.

    `fingerprint` is that of `openai:` with the same model, so that either finds the completions of the other.
    """

    Options: type[BaseModel] = batch_options.Options

    def __init__(self, model: str, options: batch_options.Options) -> None:
        """Probe the service with plain requests, where there is one; raises as `OpenAIBackend`."""
        options.check(model)
        self._batching = options
        self._ledger = Ledger(options.place(model))
        self._gatherers: WeakKeyDictionary[Link, Gatherer] = WeakKeyDictionary()
        super().__init__(model, options)
        self.name = f"openai-batch:{model}"
        self._single = options.fallback == "single" and not options.run_batch
        self.capabilities = self.capabilities.model_copy(update={"concurrency": _FILES * options.rows})

    async def at_work(self) -> bool | None:
        """Whether a batch is waited for: that takes hours, and is no silence."""
        gatherer = self._gatherers.get(await self._pool.link())
        return True if gatherer is not None and gatherer.busy else await super().at_work()

    @property
    def waits_for(self) -> str:
        """The batches under way, with how much of each is done."""
        return "; ".join(words for one in list(self._gatherers.values()) if (words := one.words))

    async def aclose(self) -> None:
        """Close the connections of this event loop; batches go on."""
        for gatherer in list(self._gatherers.values()):
            gatherer.close()
        await super().aclose()

    # --- pieces ----------------------------------------------------------------------------------------------------

    async def _probe(self) -> Found:
        return Found(_VLLM, Habits(), (), Usage()) if self._batching.run_batch else await super()._probe()

    def _parts(self, link: Link, n: int) -> list[tuple[int, ...]]:  # noqa: ARG002 - of `openai:`, which goes by it
        """One line for each completion: a request for several would be another one where some are there already."""
        return [(index,) for index in range(n)]

    async def _complete(self, link: Link, ask: Ask, indices: tuple[int, ...]) -> list[Completion]:
        (index,) = indices
        while True:
            sent = ask.sent(indices)
            answer = await self._gatherer(link).ask(Row.of(ask.request, index, self._wire, sent.body))
            try:
                return await self._answered(link, ask, indices, sent, answer)
            except Trouble as trouble:
                put = trouble.overflow is not None or trouble.parameter is not None
                if put and not answer.final and self._refit(ask, sent, trouble):
                    continue  # it goes into another batch, put otherwise
                if trouble.filtered:
                    return [Completion(index=index, text="", finish_reason="refused", error=str(trouble))]
                if answer.final or not self._single:
                    return [Completion(index=index, text="", finish_reason="error", error=str(trouble))]
            return await super()._complete(link, ask, indices)

    async def _answered(
        self, link: Link, ask: Ask, indices: tuple[int, ...], sent: Sent, answer: Answer
    ) -> list[Completion]:
        """The completion that a row's answer is; raises `Trouble` where it is none."""
        if answer.body is None:
            raise Trouble(BackendError(f"{self.name}: {answer.why}"))
        if not answer.good:
            raise refusal(answer.status, {}, json.dumps(answer.body).encode(), f"{self.name}, in a batch,")
        found = await self._completions(link, self._pool.addresses[0], ask, indices, sent, answer.body, 0.0)
        if found[0].error is None and not (found[0].text or found[0].usage.generated_tokens):
            raise Trouble(BackendError(f"{self.name} gave an empty completion of no tokens"))
        return found

    def _gatherer(self, link: Link) -> Gatherer:
        """That of this event loop."""
        if link not in self._gatherers:
            options = self._batching
            service: Service = RunBatch(self._wire.model) if options.run_batch else BatchService(
                self._pool, f"/v1{self._wire.path}", options.window, options.patience
            )  # fmt: skip
            self._gatherers[link] = Gatherer(self.name, self._ledger, service, options)
        return self._gatherers[link]
