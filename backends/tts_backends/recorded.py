"""Scores that came with the candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from tts import BackendError, Candidate, NoOptions, Problem, Score


class Recorded:
    """The list of this name beside the candidates in their file (`recorded:rm_scores`), or that field of each of them.

    Costs nothing. Raises `BackendError` for a problem, or a candidate, without a recorded number.
    """

    Options: ClassVar[type[BaseModel]] = NoOptions
    by_content: ClassVar[bool] = False
    light: ClassVar[bool] = True

    def __init__(self, model: str, options: BaseModel) -> None:  # noqa: ARG002 - the signature of every scorer
        self._name = model
        self.fingerprint = f"recorded:{model}"

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """The recorded values, by the index of each response."""
        recorded = problem.metadata.get("recorded", {})
        if self._name not in recorded:
            known = ", ".join(sorted(recorded)) or "nothing"
            raise BackendError(f"problem {problem.id!r} has no recorded {self._name!r}; recorded with it: {known}")
        return [Score(value=self._value(problem, recorded[self._name], one.index)) for one in responses]

    def _value(self, problem: Problem, values: Sequence[object], index: int) -> float:
        value = values[index] if index < len(values) else None
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
        raise BackendError(
            f"candidate {index} of problem {problem.id!r} has {value!r} recorded as {self._name!r}; it must be a number"
        )

    async def aclose(self) -> None:
        """Nothing is held."""
