"""transformers in process: any causal language model of attention layers, batched continuously."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Self

import torch
from pydantic import BaseModel

from tts import Capabilities, Completion, Request, Usage
from tts.prompts import Prompts
from tts_backends.checkpoints.chat import Chat
from tts_backends.checkpoints.digest import fingerprint
from tts_backends.checkpoints.request import completion, prepare
from tts_backends.checkpoints.telling import tellings
from tts_backends.foreign import in_thread
from tts_backends.hf import load as hf_load
from tts_backends.hf.batch import Batcher
from tts_backends.hf.decode import Decoder, Job, Row
from tts_backends.hf.live import live
from tts_backends.hf.load import Loaded, context_length, end_tokens, load

__all__ = ["HFBackend"]


class HFBackend:
    """A model of the hub, of a folder (an adapter's, too) or of a GGUF file; `hf:miniature` ships with the library.

    Messages go through the model's chat template; a model without one gets `User: …` and `Assistant:` paragraphs.
    Special tokens in message contents are read as plain text. A completion depends on its prompt, its sampling and its
    seed, not on what else is in the batch: exactly so as far as float32 tells its logits apart, so with 16-bit dtypes
    `capabilities.seed` is false. `logprob` sums the model's own distribution, before temperature, top-p and top-k.
    Of a request's completions the first counts its prompt as computed, the others as cached.
    """

    Options: type[BaseModel] = hf_load.Options

    def __init__(self, model: str, options: hf_load.Options) -> None:
        """Load the model; raises `ConfigError` or `BackendUnavailable`."""
        loaded = load(model, options)
        digest = loaded.digest
        self._set_up(f"hf:{model}", loaded, options, lambda: digest)

    @classmethod
    def from_model(
        cls,
        model: Any,
        tokenizer: Any,
        *,
        name: str = "live",
        prompts: Prompts | None = None,
        options: hf_load.Options | None = None,
    ) -> Self:
        """A backend over a transformers model that is in memory already, e.g. one in training; nothing is copied.

        The model is used as it is at each request, in evaluation mode, which is the caller's to set. The fingerprint
        follows the weights: what torch counts as a change, and, of changes made through `.data` (as DeepSpeed makes
        them), those that reach one of a few elements of each parameter, as every step of an optimiser does. Of the
        options only those that do not load a model can be given.

        Raises `ConfigError` for a model in training mode, one whose parameters are sharded, or an option out of place.
        """
        options = options or hf_load.Options()
        loaded, weights = live(f"hf:{name}", model, tokenizer, options)
        backend = cls.__new__(cls)
        backend._set_up(f"hf:{name}", loaded._replace(prompts=prompts), options, weights)  # noqa: SLF001 - its own
        return backend

    def _set_up(self, name: str, loaded: Loaded, options: hf_load.Options, weights: Callable[[], str]) -> None:
        self.name, self._weights, self._files = name, weights, loaded.files
        self._chat = Chat(loaded.tokenizer, loaded.template, options.think_open, options.think_close)
        self._context = context_length(loaded.model, loaded.tokenizer)
        dtype = loaded.model.dtype
        self._settings = (str(dtype), self._chat.template, options.think_open, options.think_close, options.attn)
        self.capabilities = Capabilities(
            streams=True,
            seed=dtype in {torch.float32, torch.float64},
            logprobs=True,
            exact_token_counts=True,
            context_length=self._context,
            concurrency=options.max_batch,
            prompts=loaded.prompts,
        )
        ends = end_tokens(loaded.model, loaded.tokenizer, self._chat.end_token())
        self._batcher = Batcher(Decoder(loaded.model, ends, self._chat.decode), options.max_batch)
        self._stop = weakref.finalize(self, self._batcher.stop)  # also at exit, while torch can still end a step

    @property
    def fingerprint(self) -> str:
        """What the outputs depend on."""
        return fingerprint(self._weights(), *self._settings)

    async def at_work(self) -> bool | None:
        """Whether the model's thread takes processor time."""
        return await self._batcher.at_work()

    def outdated(self) -> bool:
        """Whether the files that it was loaded from have changed."""
        return self._files is not None and self._files.changed()

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yield the request's completions as they finish; see `tts.Backend`."""
        job = await self._job(request)
        told = tellings(request, self._chat)
        if told:
            job.heard = lambda row: None if job.cancelled else told[row.index].more(row.tokens)
        self._batcher.submit(job)
        left = set(job.rows)
        try:
            while left:
                row = await job.arrivals.get()
                if not isinstance(row, Row):
                    raise row
                finished = await in_thread(self._completion, row)
                left.remove(row)
                if told:
                    told[row.index].end(finished.text)
                yield finished
        finally:
            if left:
                await self._withdraw(job, left)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, exactly, special tokens read as plain text."""
        return await in_thread(self._chat.count, texts)

    async def aclose(self) -> None:
        """End the model's thread and free the model; requests that are under way fail."""
        await asyncio.to_thread(self._stop)

    async def _job(self, request: Request) -> Job:
        prepared = await prepare(self._chat, request, self._context, self.name)
        return Job(request, prepared.prompt, prepared.limit)

    async def _withdraw(self, job: Job, left: set[Row]) -> None:
        """Take a job out of the batch, which happens at the next step, and report what it has cost."""
        job.cancelled = True
        try:
            await job.done.wait()
        finally:
            for row in sorted(left, key=lambda row: row.index):
                usage = self._completion(row).usage if row.tokens else Usage(calls=1)
                job.request.on_cancelled(usage.model_copy(update={"cancelled": 1}))

    def _completion(self, row: Row) -> Completion:
        prompt, sampling = row.job.prompt, row.job.request.sampling
        return completion(
            self._chat,
            prompt,
            row.tokens,
            index=row.index,
            text=row.text,
            finish_reason=row.finish_reason,
            cached_tokens=len(prompt.ids) if row.index else 0,
            logprob=row.logprob if sampling.logprobs else None,
            seconds=row.seconds,
        )
