"""How sure a model is of a response, as one forward pass over it tells."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from tts import Candidate, ContextLengthError, Problem
from tts.prompts import DIRECT_FIELDS, direct_messages, read_template
from tts_backends.hf.load import load
from tts_backends.hf.score_batch import Item
from tts_backends.hf.scoring import BatchedScorer, Encoded, ScoringOptions

__all__ = ["HFConfidence", "Likelihood"]

Measure = Literal["self-certainty", "mean-logprob"]


class ConfidenceOptions(ScoringOptions):
    """What `hf-confidence:model[@option=value,...]` takes: as `hf-reward`, what is measured, and the prompt."""

    measure: Measure = "self-certainty"
    """What is measured over the tokens of the response: self-certainty (arXiv 2502.18581), or the mean log-probability,
    both in nats per token.
    """

    template: str | None = None
    """The direct-solving prompt that the responses were sampled with: a name of ours, or the path of a Jinja file with
    the field `problem`. By default what the checkpoint was trained with, else ours.
    """

    batch_tokens: int = Field(4096, ge=1)
    """The most tokens of a batch with its padding, though a batch has at least one conversation. By default 4,096,
    fewer than for other scorers, since each token has a distribution over the vocabulary.
    """

    def files(self) -> list[Path]:
        """As of every model, and the template."""
        return super().files() + ([] if self.template is None else [Path(self.template)])


class HFConfidence(BatchedScorer):
    """Self-certainty (Kang et al. 2025, arXiv 2502.18581) or the mean log-probability, under any causal language model.

    Self-certainty is the mean over the response's tokens of KL(uniform || p), in nats, where p is the model's
    distribution at that place: 0 where it knows nothing. The model is meant to be the policy itself; its distribution
    is taken before temperature, top-p and top-k. All that was generated counts, thinking included, as far as it fits
    into the model; the token that ended it does not.
    """

    Options: type[BaseModel] = ConfidenceOptions

    def __init__(self, model: str, options: ConfidenceOptions) -> None:
        """Load the model; raises `ConfigError` or `BackendUnavailable`."""
        loaded = load(model, options)
        trained = loaded.prompts.direct if loaded.prompts else "direct"
        self._template = read_template(options.template or trained, DIRECT_FIELDS)
        self._think = (options.think_open, options.think_close)
        self._measure = _MEASURES[options.measure]
        super().__init__(
            f"hf-confidence:{model}", loaded, options, options.measure, self._template.source, *self._think
        )

    def _encode(self, problem: Problem, response: Candidate) -> Encoded:
        prompt = self._chat.encode(direct_messages(problem, self._template), None).ids
        if len(prompt) >= self._window:
            raise ContextLengthError(len(prompt), self._window, self._name)
        text = response.text
        for marker in self._think:  # which a model writes as its own tokens, where it has them
            text = text.replace(marker, self._chat.written(marker) or marker)
        return Encoded((prompt + self._chat.token_ids(text))[: self._window], len(prompt))

    def _reader(self) -> Callable[[Tensor, Sequence[Item]], list[float]]:
        measure = self._measure

        def read(logits: Tensor, items: Sequence[Item]) -> list[float]:
            return [
                float(measure(row[item.start - 1 : len(item.ids) - 1].float(), item.ids[item.start :]).mean())
                for row, item in zip(logits, items, strict=True)
            ]

        return read


class LikelihoodOptions(ConfidenceOptions):
    """What `likelihood:model[@option=value,...]` takes: as `hf-confidence`, with another measure by default."""

    measure: Measure = "mean-logprob"
    """What is measured over the tokens of the response: by default the mean log-probability, in nats per token."""


class Likelihood(HFConfidence):
    """How likely a model finds a response, per token: any language model as a scorer of another one's responses.

    It asks whether that model would have written this, so it is worth most where it knows the task better than the
    policy does; a long response costs no more than a short one. A response that is sound in itself is likely even where
    it answers another question: `benchmarks/scorers_of_family.py` has that control.
    """

    Options: type[BaseModel] = LikelihoodOptions


def _self_certainty(logits: Tensor, _: list[int]) -> Tensor:
    """KL(uniform || p) for each of the logits (n, vocabulary)."""
    return logits.logsumexp(-1) - logits.mean(-1) - math.log(logits.shape[-1])


def _log_probability(logits: Tensor, tokens: list[int]) -> Tensor:
    """Of each token, under the logits (n, vocabulary) at its place."""
    chosen = torch.tensor(tokens, device=logits.device)
    return logits.gather(-1, chosen[:, None])[:, 0] - logits.logsumexp(-1)


_MEASURES: dict[str, Callable[[Tensor, list[int]], Tensor]] = {
    "self-certainty": _self_certainty,
    "mean-logprob": _log_probability,
}
