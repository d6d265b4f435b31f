"""Scalar reward models of transformers in process: a sequence classifier with one output, batched by length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from transformers import AutoModelForSequenceClassification

from tts import Candidate, ConfigError, Problem
from tts_backends.hf.load import load_as
from tts_backends.hf.score_batch import Item
from tts_backends.hf.scoring import BatchedScorer, Encoded, ScoringOptions, no_head

__all__ = ["HFReward"]


class HFReward(BatchedScorer):
    """Skywork-Reward and every model of that interface: `AutoModelForSequenceClassification` with one label.

    A conversation is the problem (user) and the response without its thinking (assistant), through the model's chat
    template, without a system message; the score is the head's output. Special tokens in them are read as plain text.
    A response too long for the model keeps its end. Scores do not depend on the batch beyond rounding.
    """

    def __init__(self, model: str, options: ScoringOptions) -> None:
        """Load the model; raises `ConfigError` or `BackendUnavailable`."""
        loaded, absent = load_as(
            AutoModelForSequenceClassification, model, options, num_labels=1, ignore_mismatched_sizes=True
        )
        if absent:
            raise ConfigError(
                f"{no_head(model, absent, 'reward head with one output')}; give a sequence classifier with num_labels=1"
            )
        super().__init__(f"hf-reward:{model}", loaded, options)

    def _encode(self, problem: Problem, response: Candidate) -> Encoded:
        return Encoded(self._conversation(problem, response))

    def _reader(self) -> Callable[[Tensor, Sequence[Item]], list[float]]:
        return _head_output


def _head_output(logits: Tensor, _: Sequence[Item]) -> list[float]:
    values: list[float] = logits[:, 0].float().tolist()
    return values
