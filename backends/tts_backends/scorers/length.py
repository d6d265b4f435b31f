"""The length of a response as its score; no model is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel

from tts import BackendError, Candidate, ConfigError, NoOptions, Problem, Score

__all__ = ["Length"]


class LengthOptions(NoOptions):
    """What `length:shorter[@unit=tokens]` takes."""

    unit: Literal["characters", "tokens"] = "characters"
    """What is counted: characters of all that was generated, or tokens as the backend counted them when sampling. By
    default characters (our choice: candidates from a file may have no token counts).
    """


class Length:
    """`length:shorter` (Hassid et al. 2025, arXiv 2505.17813) or `length:longer`: of all generated, thinking included.

    Tokens are those that the backend counted; a candidate from a file may have none, which is a `BackendError`.
    """

    Options: type[BaseModel] = LengthOptions
    by_content: ClassVar[bool] = False
    light: ClassVar[bool] = True

    def __init__(self, model: str, options: LengthOptions) -> None:
        if model not in {"shorter", "longer"}:
            raise ConfigError(f"there is no 'length:{model}'; give 'length:shorter' or 'length:longer'")
        self._sign = -1 if model == "shorter" else 1
        self._tokens = options.unit == "tokens"
        self.fingerprint = f"length:{model}:{options.unit}"

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """The lengths, negative where shorter is better."""
        return [Score(value=self._sign * self._length(problem, one)) for one in responses]

    def _length(self, problem: Problem, response: Candidate) -> int:
        if not self._tokens:
            return len(response.text)
        if not response.usage.generated_tokens:
            raise BackendError(
                f"candidate {response.index} of problem {problem.id!r} has no count of tokens; use @unit=characters"
            )
        return response.usage.generated_tokens

    async def aclose(self) -> None:
        """Nothing is held."""
