"""Models that answer at once, always the same: what they say goes by the seed, so by prompt, problem, run.

Each has `spent`: the usage of everything that it was ever asked for.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from pydantic import BaseModel

from tts.contracts.models import Capabilities, NoOptions, Request
from tts.registry.code import code_of
from tts.vocabulary.record import digest
from tts.vocabulary.records import Candidate, Completion, Problem, Score, Usage, Verdict
from tts.vocabulary.thinking import split_thinking


class InstantModel:
    """A policy or synthesizer that writes boxed digits and verdicts, sometimes nonsense, sometimes nothing visible.

    As `InstantModel("backwards")` it yields the completions of a request last one first.
    """

    Options: type[BaseModel] = NoOptions
    capabilities: Capabilities = Capabilities(seed=True, logprobs=True)
    fingerprint = "instant"

    def __init__(self, model: str = "", options: Any = None) -> None:  # noqa: ARG002 - a backend is made so
        self._backwards = model == "backwards"
        self.spent: Usage = Usage()

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """All at once."""
        indices = range(request.n)
        for index in reversed(indices) if self._backwards else indices:
            text = _said(request.seeds[index])
            thinking, summary = split_thinking(text)
            usage = Usage(calls=1, prompt_tokens=10, answer_tokens=10)
            self.spent += usage
            yield Completion(index=index, text=text, thinking=thinking, summary=summary, usage=usage, logprob=-5.0)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words."""
        return [len(text.split()) for text in texts]

    async def aclose(self) -> None:
        """Nothing to free."""


def _said(seed: int) -> str:
    draw = random.Random(seed)
    digit = draw.randrange(4)
    verdict = f"Response {digit}\nJudgment: {digit}\nThe answer is \\boxed{{{digit}}}."
    return draw.choice([verdict, verdict, f"<think>hm</think>{verdict}", "I cannot tell.", "<think>never done"])


class InstantScorer:
    """A scorer whose rewards go by the text and are often equal: -1, 0 or 1."""

    Options: type[BaseModel] = NoOptions

    def __init__(self, model: str = "", options: Any = None) -> None:  # noqa: ARG002 - a scorer is made so
        self.fingerprint: str = code_of(type(self))
        self.spent: Usage = Usage()

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """At once."""
        usage = Usage(calls=1, prompt_tokens=10)
        self.spent = sum((usage for _ in responses), self.spent)
        return [Score(value=int(digest(problem.text, one.text), 16) % 3 - 1, usage=usage) for one in responses]

    async def aclose(self) -> None:
        """Nothing to free."""


class InstantJudge:
    """A judge that often contradicts itself and sometimes says nothing: its verdict goes by texts, order and seed."""

    Options: type[BaseModel] = NoOptions

    def __init__(self, model: str = "", options: Any = None) -> None:  # noqa: ARG002 - a judge is made so
        self.fingerprint: str = code_of(type(self))
        self.spent: Usage = Usage()

    async def compare(self, problem: Problem, a: Candidate, b: Candidate, *, seed: int) -> Verdict:
        """At once."""
        winner = random.Random(digest(problem.text, a.text, b.text, seed)).choice(["a", "b", "a", "b", None])
        usage = Usage(calls=1, prompt_tokens=10, answer_tokens=1)
        self.spent += usage
        return Verdict(winner=winner, usage=usage)

    async def aclose(self) -> None:
        """Nothing to free."""
