"""Any generator of reasoning-gym (Stojanovski et al. 2025, arXiv 2505.24760), seeded; for out-of-domain runs.

Decision: many generators accept more than one answer and score one against the whole entry. A generator makes the same
entry again from its settings, so the gold answer names them after its text: `17 [chain_sum {"index": 3, "seed": 0}]`.
The grader needs nothing else, in whatever process and from whatever file.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from tts.contracts.task import Task
from tts.vocabulary.errors import ConfigError, TaskError, did_you_mean
from tts.vocabulary.records import Example, Problem

with warnings.catch_warnings():
    warnings.simplefilter("ignore", SyntaxWarning)  # of a package that it needs, when Python first compiles it
    from reasoning_gym import create_dataset
    from reasoning_gym.factory import DATASETS

_GOLD = re.compile(r"(?P<answer>.*) \[(?P<generator>\w+) (?P<settings>\{.*\})\]", re.DOTALL)
_FULL = 0.999  # of a score of 1, which some generators compute


class ReasoningGym(Task):
    """Problems of one generator, `task:reasoning_gym:NAME`; further options are the generator's own settings."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    name: ClassVar[str] = "reasoning_gym"
    argument: ClassVar[str | None] = "generator"

    grader: str = "reasoning_gym"
    """What compares an answer with the gold answer: a grader's name, or a function of yours as `file.py:function`. By
    default the generator's own score: an answer is right that gets full marks.
    """

    generator: str
    """The name of a generator of reasoning-gym, such as `chain_sum`; it may follow the task's name after a colon."""

    size: int = Field(200, ge=1)
    """How many problems. By default 200 (our choice, as for `sums`)."""

    seed: int = 0
    """Seed of the problems; the problem at a place does not depend on `size`."""

    def examples(self) -> Iterator[Example]:
        """The problems, made as they are asked for."""
        own = {name: _value(value) for name, value in (self.model_extra or {}).items()}
        data = _dataset(self.generator, json.dumps({**own, "seed": self.seed}, sort_keys=True))
        for index in range(self.size):
            entry = data[index]
            settings = json.dumps({**own, "seed": self.seed, "index": index}, sort_keys=True)
            name = f"reasoning_gym/{self.generator}/{self.seed}/{index}"
            problem = Problem(id=name, prompt=entry["question"], metadata={"generator": self.generator})
            yield Example(problem=problem, answer=f"{entry['answer']} [{self.generator} {settings}]")


def _value(text: Any) -> Any:
    """An option as the generator takes it: `5` is a number, `[1, 2]` a list, other text itself."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except json.JSONDecodeError:
        return text


@lru_cache(maxsize=32)
def _dataset(generator: str, settings: str) -> Any:
    if generator not in DATASETS:
        raise ConfigError(f"reasoning_gym has no generator {generator!r}{did_you_mean(generator, DATASETS)}")
    try:
        return create_dataset(generator, **{"size": 1, **json.loads(settings)})
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f"reasoning_gym:{generator}: {error}") from error


class ReasoningGymGrader:
    """Implements `tts.Grader` by the generator's own score: an answer is right that it gives full marks."""

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """One verdict per (gold, answer); raises `TaskError` for a gold answer of another task or release."""
        return [answer is not None and _score(gold, answer) >= _FULL for gold, answer in pairs]

    async def aclose(self) -> None:
        """Nothing is held."""


def _score(gold: str, answer: str) -> float:
    match = _GOLD.fullmatch(gold)
    if match is None:
        raise TaskError(f"{gold[:80]!r} is no gold answer of task:reasoning_gym; use another grader")
    settings = json.loads(match["settings"])
    index = settings.pop("index")
    data = _dataset(match["generator"], json.dumps(settings, sort_keys=True))
    entry = data[index]
    if str(entry["answer"]) != match["answer"]:
        raise TaskError(
            f"this release of reasoning-gym makes another problem of {match['generator']} {match['settings']}; grade "
            "with the release that made the problems"
        )
    return float(data.score_answer(answer, entry))
