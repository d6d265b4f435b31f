"""Scores that came with the candidates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from tts import BackendError, Candidate, ConfigError, NoOptions, Problem, Score

_REDUCE: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "max": max,
    "last": lambda steps: steps[-1],
    "mean": lambda steps: math.fsum(steps) / len(steps),
    "product": math.prod,
}


class RecordedOptions(NoOptions):
    """Options of a `recorded:NAME@reduce=min` reference."""

    reduce: Literal["min", "max", "last", "mean", "product"] | None = None
    """Which one number is made of a list of scores of a candidate's steps, as a process reward model gives them; by
    default such a list is refused."""


class Recorded:
    """The list of this name beside the candidates in their file (`recorded:rm_scores`), or that field of each of them.

    `scores.rm` is the field `rm` of the mappings, or of the mapping of lists, that are recorded as `scores`. Costs
    nothing. Raises `ConfigError` where the first problem has none, before anything is spent, and `BackendError`
    for another problem, or a candidate, without a recorded number.
    """

    Options: type[BaseModel] = RecordedOptions
    by_content: ClassVar[bool] = False
    light: ClassVar[bool] = True

    def __init__(self, model: str, options: RecordedOptions) -> None:
        self._name, self._reduce = model, options.reduce
        self.fingerprint = f"recorded:{model}" + (f"@reduce={options.reduce}" if options.reduce else "")

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """The recorded values, by the index of each response."""
        if lacking := self._lacking(problem):
            raise BackendError(lacking)
        values = self._values(problem) or []
        return [Score(value=self._value(problem, values, one.index)) for one in responses]

    def check(self, problem: Problem, candidates: Sequence[Candidate]) -> None:
        """Raise `ConfigError` for a name that is not recorded, and for candidates that are yet to be sampled."""
        if not candidates:
            raise ConfigError(f"'recorded:{self._name}' scores the candidates of a file; these are yet to be sampled")
        if lacking := self._lacking(problem):
            raise ConfigError(lacking)

    def _lacking(self, problem: Problem) -> str | None:
        recorded = problem.metadata.get("recorded", {})
        if self._values(problem) is not None:
            return None
        known = ", ".join(map(repr, sorted(recorded))) or "nothing"
        return f"no {self._name!r} is recorded with the candidates of problem {problem.id!r}; recorded is {known}"

    def _values(self, problem: Problem) -> list[Any] | None:
        """What is recorded under the name, or under its beginning with fields of the rest in it."""
        recorded = problem.metadata.get("recorded", {})
        if self._name in recorded:
            found: list[Any] = recorded[self._name]
            return found
        outer, dot, field = self._name.partition(".")
        values = recorded.get(outer) if dot else None
        if not isinstance(values, list) or not any(_at(one, field) is not None for one in values):
            return None
        return [_at(one, field) for one in values]

    def _value(self, problem: Problem, values: Sequence[object], index: int) -> float:
        value = values[index] if index < len(values) else None
        if _is_number(value):
            return float(value)  # type: ignore[arg-type]  # a number, as was just seen
        if isinstance(value, list) and value and all(map(_is_number, value)):
            if self._reduce is not None:
                return float(_REDUCE[self._reduce](value))
            raise BackendError(
                f"candidate {index} of problem {problem.id!r} has a score for each of {len(value)} steps recorded as "
                f"{self._name!r}; say what is made of them, as in 'recorded:{self._name}@reduce=min'"
            )
        raise BackendError(
            f"candidate {index} of problem {problem.id!r} has {value!r} recorded as {self._name!r}; it must be a number"
        )

    async def aclose(self) -> None:
        """Nothing is held."""


def _at(value: object, path: str) -> Any:
    """The value at `a.b` in nested mappings."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
