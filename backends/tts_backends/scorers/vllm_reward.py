"""Scalar reward models on vLLM in process: a sequence classifier with one output."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Sequence

from pydantic import BaseModel

from tts import BackendError, Candidate, ConfigError, Problem, Score, Usage
from tts_backends.foreign import in_thread
from tts_backends.vllm import load as vllm_load

__all__ = ["VLLMReward"]


class VLLMReward:
    """Every classifier with one label that vLLM runs, as `hf-reward` reads them; `@option=value` goes to the engine.

    A conversation is the problem (user) and the response without its thinking (assistant), through the model's chat
    template, without a system message; the score is the head's output before any activation. Special tokens in them are
    read as plain text. A response too long for the model keeps its end.
    """

    Options: type[BaseModel] = vllm_load.Options

    def __init__(self, model: str, options: vllm_load.Options) -> None:
        """Start the engine; raises `ConfigError`, `MissingDependencyError` or `BackendUnavailable`."""
        engine = vllm_load.configure(model, options, runner="pooling")
        from tts_backends.checkpoints.chat import Chat
        from tts_backends.checkpoints.digest import fingerprint
        from tts_backends.vllm.engine import RunningEngine

        self._name, self._files = f"vllm-reward:{model}", engine.files
        labels = engine.config.model_config.hf_config.num_labels
        if labels != 1:
            raise ConfigError(f"{model!r} is no reward model: its head has {labels} outputs and should have one")
        self._engine = RunningEngine(self._name, engine)
        self._stop = weakref.finalize(self, self._engine.stop)
        if "classify" not in self._engine.supported:
            self._stop()
            raise ConfigError(f"{model!r} is no reward model: vLLM finds no head of a classifier in it")
        self._chat = Chat(self._engine.llm.get_tokenizer(), engine.template, options.think_open, options.think_close)
        self._window = int(engine.config.model_config.max_model_len)
        dtype = engine.config.model_config.dtype
        self.fingerprint = fingerprint("vllm", engine.digest, dtype, self._chat.template, self._window)

    def outdated(self) -> bool:
        """Whether the files that it was loaded from have changed."""
        return bool(self._files.changed())

    async def at_work(self) -> bool:
        """Whether the engine has made a step in the last minute."""
        return self._engine.steps.recent()

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """A score for each response; see `tts.Scorer`."""
        from tts_backends.checkpoints.conversation import conversation

        def encoded() -> list[list[int]]:
            return [conversation(self._chat, self._window, self._name, problem, one) for one in responses]

        read = await in_thread(encoded)
        values = await asyncio.gather(*(asyncio.wrap_future(self._engine.score(ids)) for ids in read))
        if not all(map(math.isfinite, values)):
            raise BackendError(f"{self._name!r} gave a score that is no number; try @dtype=float32")
        return [
            Score(value=value, usage=Usage(calls=1, prompt_tokens=len(ids)))
            for value, ids in zip(values, read, strict=True)
        ]

    async def aclose(self) -> None:
        """End the engine and its processes; scores that are under way fail."""
        await asyncio.to_thread(self._stop)
