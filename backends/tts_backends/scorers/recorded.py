"""Scores that came with the candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from tts import BackendError, Candidate, ConfigError, NoOptions, Problem, Score


class Recorded:
    """The list of this name beside the candidates in their file (`recorded:rm_scores`), or that field of each of them.

    Costs nothing. Raises `ConfigError` where the first problem has none, before anything is spent, and `BackendError`
    for another problem, or a candidate, without a recorded number.
    """

    Options: type[BaseModel] = NoOptions
    by_content: ClassVar[bool] = False
    light: ClassVar[bool] = True

    def __init__(self, model: str, options: BaseModel) -> None:  # noqa: ARG002 - the signature of every scorer
        self._name = model
        self.fingerprint = f"recorded:{model}"

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """The recorded values, by the index of each response."""
        if lacking := self._lacking(problem):
            raise BackendError(lacking)
        values = problem.metadata["recorded"][self._name]
        return [Score(value=self._value(problem, values, one.index)) for one in responses]

    def check(self, problem: Problem, candidates: Sequence[Candidate]) -> None:
        """Raise `ConfigError` for a name that is not recorded, and for candidates that are yet to be sampled."""
        if not candidates:
            raise ConfigError(f"'recorded:{self._name}' scores the candidates of a file; these are yet to be sampled")
        if lacking := self._lacking(problem):
            raise ConfigError(lacking)

    def _lacking(self, problem: Problem) -> str | None:
        recorded = problem.metadata.get("recorded", {})
        if self._name in recorded:
            return None
        known = ", ".join(map(repr, sorted(recorded))) or "nothing"
        return f"no {self._name!r} is recorded with the candidates of problem {problem.id!r}; recorded is {known}"

    def _value(self, problem: Problem, values: Sequence[object], index: int) -> float:
        value = values[index] if index < len(values) else None
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
        raise BackendError(
            f"candidate {index} of problem {problem.id!r} has {value!r} recorded as {self._name!r}; it must be a number"
        )

    async def aclose(self) -> None:
        """Nothing is held."""
