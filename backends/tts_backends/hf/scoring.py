"""What the scorers of transformers models share: the conversation as tokens, scores in batches by length."""

from __future__ import annotations

import abc
import asyncio
import math
import weakref
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, Field
from torch import Tensor

from tts import BackendError, Candidate, Problem, Score, Usage
from tts_backends.checkpoints.chat import Chat
from tts_backends.checkpoints.conversation import conversation
from tts_backends.checkpoints.digest import fingerprint
from tts_backends.foreign import in_thread
from tts_backends.hf import load as hf_load
from tts_backends.hf.load import Loaded, context_length
from tts_backends.hf.score_batch import Item, LengthBatcher


class ScoringOptions(hf_load.Options):
    """What a scorer's reference takes: as `hf`, and the sizes of a batch."""

    max_length: int | None = Field(None, ge=1)
    """The most tokens of a conversation. By default what the model has positions for; for `pairrm` 2,048, as on its
    model card.
    """

    batch_tokens: int = Field(16_384, ge=1)
    """The most tokens of a batch with its padding, though a batch has at least one conversation. By default 16,384 (our
    choice, to bound memory).
    """


class Encoded(NamedTuple):
    """A conversation's tokens; the response's begin at `start`, where that matters."""

    ids: list[int]
    start: int = 0


class BatchedScorer(abc.ABC):
    """A model in memory that scores; subclasses say how a response is encoded and how a score is read."""

    Options: type[BaseModel] = ScoringOptions

    def __init__(self, name: str, loaded: Loaded, options: ScoringOptions, *settings: object) -> None:
        """Take over a loaded model; `settings` are what else its scores depend on."""
        self._name, self._files = name, loaded.files
        self._chat = Chat(loaded.tokenizer, loaded.template, options.think_open, options.think_close)
        positions = context_length(loaded.model, loaded.tokenizer)
        self._window = min(positions, options.max_length or positions)
        attention = loaded.model.config._attn_implementation  # noqa: SLF001 - transformers has no public name for it
        self.fingerprint = fingerprint(
            loaded.digest, loaded.model.dtype, self._chat.template, attention, self._window, *settings
        )
        self._batcher = LengthBatcher(loaded.model, options.max_batch, options.batch_tokens, self._reader())
        self._stop = weakref.finalize(self, self._batcher.stop)

    async def at_work(self) -> bool | None:
        """Whether the model's thread takes processor time."""
        return await self._batcher.at_work()

    def outdated(self) -> bool:
        """Whether the files that it was loaded from have changed."""
        return self._files is not None and self._files.changed()

    @abc.abstractmethod
    def _encode(self, problem: Problem, response: Candidate) -> Encoded:
        """The tokens that the model is to read."""

    @abc.abstractmethod
    def _reader(self) -> Callable[[Tensor, Sequence[Item]], list[float]]:
        """What reads the scores of a batch in its logits; it must not hold the scorer, which could never end."""

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """A score for each response; see `tts.Scorer`."""
        encoded = await in_thread(lambda: [self._encode(problem, one) for one in responses])
        values = await asyncio.gather(*(asyncio.wrap_future(self._batcher.submit(*one)) for one in encoded))
        if not all(map(math.isfinite, values)):
            raise BackendError(f"{self._name!r} gave a score that is no number; try @dtype=float32")
        return [
            Score(value=value, usage=Usage(calls=1, prompt_tokens=len(one.ids)))
            for value, one in zip(values, encoded, strict=True)
        ]

    async def aclose(self) -> None:
        """End the model's thread and free the model; scores that are under way fail."""
        await asyncio.to_thread(self._stop)

    def _conversation(
        self, problem: Problem, response: Candidate, write: Callable[[str], str] = lambda text: text
    ) -> list[int]:
        """The tokens of `conversation` for this model."""
        return conversation(self._chat, self._window, self._name, problem, response, write)


def no_head(model: str, absent: set[str], wanted: str) -> str:
    """The sentence for a checkpoint that lacks the weights of its scoring head."""
    return f"{model!r} has no {wanted} ({min(absent)} is missing or has another shape)"
