"""Scalar reward models of transformers in process: a sequence classifier with one output, batched by length."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, Field
from transformers import AutoModelForSequenceClassification

from tts import BackendError, Candidate, ConfigError, ContextLengthError, Message, Problem, Score, Usage
from tts.prompts import visible
from tts_backends import _hf_load
from tts_backends._hf_chat import Chat
from tts_backends._hf_load import context_length, fingerprint, load_as
from tts_backends._hf_reward_batch import LengthBatcher

__all__ = ["HFReward"]


class RewardOptions(_hf_load.Options):
    """What `hf-reward:model[@option=value,...]` takes: as `hf`, and the sizes of a batch.

    `max_length` is the most tokens of a conversation, by default what the model has positions for. A batch has at most
    `max_batch` conversations and, with its padding, `batch_tokens` tokens (but at least one conversation).
    """

    max_length: int | None = Field(None, ge=1)
    batch_tokens: int = Field(16_384, ge=1)


class HFReward:
    """Skywork-Reward and every model of that interface: `AutoModelForSequenceClassification` with one label.

    A conversation is the problem (user) and the response without its thinking (assistant), through the model's chat
    template, without a system message; the score is the head's output. Special tokens in them are read as plain text.
    A response too long for the model keeps its end. Scores do not depend on the batch beyond rounding.
    """

    Options: ClassVar[type[BaseModel]] = RewardOptions

    def __init__(self, model: str, options: RewardOptions) -> None:
        """Load the model; raises `ConfigError` or `BackendUnavailable`."""
        loaded, absent = load_as(
            AutoModelForSequenceClassification, model, options, num_labels=1, ignore_mismatched_sizes=True
        )
        if absent:
            raise ConfigError(
                f"{model!r} has no reward head with one output ({min(absent)} is missing or has another shape); "
                "give a sequence classifier with num_labels=1"
            )
        if loaded.model.config.model_type == "gemma2" and options.attn is None:
            loaded.model.set_attn_implementation("eager")  # sdpa leaves out the logit soft-capping: wrong scores
        self._name = f"hf-reward:{model}"
        self._chat = Chat(loaded.tokenizer, loaded.template, options.think_open, options.think_close)
        positions = context_length(loaded.model, loaded.tokenizer)
        self._window = min(positions, options.max_length or positions)
        attention = loaded.model.config._attn_implementation  # noqa: SLF001 - transformers has no public name for it
        self.fingerprint = fingerprint(loaded.digest, loaded.model.dtype, self._chat.template, attention, self._window)
        self._batcher = LengthBatcher(loaded.model, options.max_batch, options.batch_tokens)
        self._stop = weakref.finalize(self, self._batcher.stop)

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """The head's output for each response; see `tts.Scorer`."""
        encoded = await asyncio.to_thread(lambda: [self._encode(problem, one) for one in responses])
        values = await asyncio.gather(*(asyncio.wrap_future(self._batcher.submit(ids)) for ids in encoded))
        if not all(map(math.isfinite, values)):
            raise BackendError(f"{self._name!r} gave a score that is no number; try @dtype=float32")
        return [
            Score(value=value, usage=Usage(calls=1, prompt_tokens=len(ids)))
            for value, ids in zip(values, encoded, strict=True)
        ]

    async def aclose(self) -> None:
        """End the model's thread and free the model; scores that are under way fail."""
        await asyncio.to_thread(self._stop)

    def _encode(self, problem: Problem, response: Candidate) -> list[int]:
        """The conversation's tokens, with as much of the response's end as fits."""
        asked = problem.messages or (Message(role="user", content=problem.text),)
        turns = [message for message in asked if message.role != "system"]
        text = visible(response)
        while True:
            ids = self._chat.encode([*turns, Message(role="assistant", content=text)], None, go_on=False).ids
            over = len(ids) - self._window
            if over <= 0:
                return ids
            (tokens,) = self._chat.count([text])
            kept = len(text) * (tokens - over) // tokens if tokens > over else 0
            if not kept:
                raise ContextLengthError(len(ids), self._window, self._name)
            text = text[-kept:]
