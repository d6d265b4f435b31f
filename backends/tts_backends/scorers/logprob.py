"""The policy's own log-probabilities as scores; no model is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from tts import BackendError, Candidate, ConfigError, NoOptions, Problem, Score

__all__ = ["LogProbability"]


class LogProbability:
    """`logprob:mean`, per generated token as in Chen et al. 2021 (arXiv 2107.03374), or `logprob:sum` of the response.

    Candidates are sampled with log-probabilities then; stored ones without them are a `BackendError`.
    """

    Options: type[BaseModel] = NoOptions
    by_content: ClassVar[bool] = False
    light: ClassVar[bool] = True
    logprobs: ClassVar[bool] = True

    def __init__(self, model: str, options: BaseModel) -> None:  # noqa: ARG002 - the signature of every scorer
        if model not in {"mean", "sum"}:
            raise ConfigError(f"there is no 'logprob:{model}'; give 'logprob:mean' or 'logprob:sum'")
        self._mean = model == "mean"
        self.fingerprint = f"logprob:{model}"

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """What the backend said when it sampled them."""
        return [Score(value=self._value(problem, one)) for one in responses]

    def _value(self, problem: Problem, response: Candidate) -> float:
        tokens = response.usage.generated_tokens
        if response.logprob is None or (self._mean and not tokens):
            lacking = "log-probability" if response.logprob is None else "count of tokens"
            raise BackendError(
                f"candidate {response.index} of problem {problem.id!r} has no {lacking}; sample with "
                "Sampling(logprobs=True), or let the policy read it: 'hf-confidence:MODEL@measure=mean-logprob'"
            )
        return response.logprob / tokens if self._mean else response.logprob

    async def aclose(self) -> None:
        """Nothing is held."""
