"""vLLM in process: its asynchronous engine, so that every completion comes when it is finished."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tts import BackendError, Capabilities, Completion, Request, Usage
from tts_backends.foreign import in_thread
from tts_backends.vllm import load as vllm_load

if TYPE_CHECKING:
    from tts_backends.vllm.engine import Job, Sample

__all__ = ["VLLMBackend"]

_QUEUED = 4  # of so many completions that run one more waits at the engine: a free place is taken in the same step


class VLLMBackend:
    """Any language model that vLLM runs, of a folder or the hub; `@option=value` takes every option of the engine.

    Messages are encoded as the hf backend does it: through the model's chat template, special tokens in their contents
    as plain text. Prefix caching is on, and calls that aggregate go before those that sample. A completion depends on
    its prompt, its sampling and its seed as far as float32 tells logits apart, so with 16-bit dtypes
    `capabilities.seed` is false. `logprob` sums the model's own distribution, before temperature, top-p and top-k.
    Cached tokens are those that the engine reports: whole blocks of its cache.
    """

    Options: type[BaseModel] = vllm_load.Options

    def __init__(self, model: str, options: vllm_load.Options) -> None:
        """Start the engine; raises `ConfigError`, `MissingDependencyError` or `BackendUnavailable`."""
        engine = vllm_load.configure(model, options, scheduling_policy="priority")
        from tts_backends.checkpoints.chat import Chat
        from tts_backends.checkpoints.digest import fingerprint
        from tts_backends.vllm.engine import RunningEngine

        self.name, self._files = f"vllm:{model}", engine.files
        self._engine = RunningEngine(self.name, engine)
        self._stop = weakref.finalize(self, self._engine.stop)  # no process of the engine stays behind
        self._chat = Chat(self._engine.llm.get_tokenizer(), engine.template, options.think_open, options.think_close)
        config = engine.config
        self._context = int(config.model_config.max_model_len)
        self._ends = _end_tokens(config.model_config, self._chat.end_token())
        dtype = str(config.model_config.dtype)
        at_once = config.scheduler_config.max_num_seqs * config.parallel_config.data_parallel_size
        self.fingerprint = fingerprint(
            "vllm", engine.digest, dtype, self._chat.template, options.think_open, options.think_close
        )
        self.capabilities = Capabilities(
            streams=True,
            response_format=True,
            seed=dtype == "torch.float32",
            logprobs=True,
            exact_token_counts=True,
            context_length=self._context,
            concurrency=at_once + at_once // _QUEUED,
            prompts=engine.prompts,
        )

    def outdated(self) -> bool:
        """Whether the files that it was loaded from have changed."""
        return bool(self._files.changed())

    async def at_work(self) -> bool:
        """Whether the engine has made a step in the last minute."""
        return self._engine.steps.recent()

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yield the request's completions as they finish; see `tts.Backend`."""
        from tts_backends.checkpoints.telling import tellings
        from tts_backends.vllm.engine import Failure

        job = await self._job(request)
        told = tellings(request, self._chat)
        if told:
            job.heard = lambda index, tokens: None if job.cancelled else told[index].more(tokens)
        self._engine.submit(job)
        left = set(range(request.n))
        failure: BackendError | None = None
        try:
            while left:
                arrived = await job.arrivals.get()
                left.remove(arrived.index)
                if isinstance(arrived, Failure):  # the others are still worth having
                    failure = failure or arrived.error
                    continue
                finished = await in_thread(self._completion, job, arrived)
                if told and finished.whole:
                    told[arrived.index].end(finished.text)
                yield finished
        finally:
            if left:
                await self._withdraw(job, left)
        if failure is not None:
            raise failure

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, exactly, special tokens read as plain text."""
        return await in_thread(self._chat.count, texts)

    async def aclose(self) -> None:
        """End the engine and its processes; requests that are under way fail."""
        await asyncio.to_thread(self._stop)

    async def _job(self, request: Request) -> Job:
        from tts_backends.checkpoints.request import prepare
        from tts_backends.vllm.engine import Job

        prompt, limit = await prepare(self._chat, request, self._context, self.name)
        return Job(request, prompt, [self._parameters(request, seed, limit) for seed in request.seeds])

    def _parameters(self, request: Request, seed: int, limit: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        sampling = request.sampling
        form = structured(sampling.response_format)
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k or 0,
            max_tokens=limit,
            seed=seed,
            stop=list(sampling.stop),
            stop_token_ids=self._ends,
            logprobs=0 if sampling.logprobs else None,
            detokenize=bool(sampling.stop),  # the text is made here, of the tokens
            skip_special_tokens=False,  # think markers may be special tokens, and stop strings, too
            output_kind=RequestOutputKind.FINAL_ONLY if request.on_text is None else RequestOutputKind.DELTA,
            structured_outputs=form and StructuredOutputsParams(**form),
        )

    async def _withdraw(self, job: Job, left: set[int]) -> None:
        """Abort what is left of a job, wait until the engine has let go of it, and report what it has cost."""
        from tts_backends.vllm.engine import Failure

        self._engine.withdraw(job)
        while left:
            arrived = await job.arrivals.get()
            left.remove(arrived.index)
            if isinstance(arrived, Failure) or not arrived.tokens:
                usage = Usage(calls=1)
            else:
                usage = self._completion(job, arrived).usage
            job.request.on_cancelled(usage.model_copy(update={"cancelled": 1}))

    def _completion(self, job: Job, sample: Sample) -> Completion:
        from tts_backends.checkpoints.request import completion

        return completion(
            self._chat,
            job.prompt,
            sample.tokens,
            index=sample.index,
            text=self._cut(job, sample),
            finish_reason=sample.finish_reason,
            cached_tokens=sample.cached_tokens,
            logprob=sample.logprob,
        )

    def _cut(self, job: Job, sample: Sample) -> str | None:
        """The text before the first stop string, where one ended the completion."""
        if sample.stopped_by is None:
            return None
        text = self._chat.decode(sample.tokens)
        found = [place for stop in job.request.sampling.stop if (place := text.find(stop)) >= 0]
        return text[: min(found)] if found else None


def structured(form: dict[str, Any] | None) -> dict[str, Any] | None:
    """What vLLM calls the form of an answer."""
    if form is None:
        return None
    if form.get("type") == "json_schema":
        return {"json": form["json_schema"]["schema"]}
    return {"json_object": True}


def _end_tokens(model: Any, template_end: int | None) -> list[int]:
    """The tokens that end a response beside the tokenizer's own, which the engine knows."""
    configured = model.try_get_generation_config().get("eos_token_id")
    several = configured if isinstance(configured, list) else [configured]
    return sorted({int(token) for token in [*several, template_end] if token is not None})
