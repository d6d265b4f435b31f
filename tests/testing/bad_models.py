"""Scorers and judges with one planted fault each, beside good ones."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
import uuid
from collections.abc import Sequence
from typing import Any, Literal

import jinja2
from pydantic import BaseModel, ConfigDict

import tts
from tts.prompts import neutralised, visible

Winner = Literal["a", "b", "tie"] | None
COST = tts.Usage(calls=1, prompt_tokens=10)


class GoodScorer:
    """Counts letters."""

    Options = tts.NoOptions

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> Any:
        return [tts.Score(value=self.value(problem, one), usage=COST) for one in responses]

    def value(self, problem: tts.Problem, response: tts.Candidate) -> float:
        return len(response.text) / 10

    async def aclose(self) -> None: ...


class NoOptionsScorer(GoodScorer):
    Options = None  # type: ignore[assignment]  # the fault


class LooseOptionsScorer(GoodScorer):
    class Options(BaseModel):
        votes: int = 1


class NewFingerprintScorer(GoodScorer):
    def __init__(self) -> None:
        self.fingerprint = uuid.uuid4().hex


class ConstantScorer(GoodScorer):
    fingerprint = "counts letters"


class Weighted(tts.NoOptions):
    weight: float = 1.0
    """What a letter is worth. By default one."""

    batch: int = 8
    """How many at once; it changes no score. By default eight."""


class WeightedScorer(GoodScorer):
    Options: Any = Weighted

    def __init__(self, model: str = "letters", options: Any = None) -> None:
        self._weight = (options or Weighted()).weight
        self.fingerprint = f"{model}:{self._weight}"

    def value(self, problem: tts.Problem, response: tts.Candidate) -> float:
        return self._weight * super().value(problem, response)


class WeightBlindScorer(WeightedScorer):
    def __init__(self, model: str = "letters", options: Any = None) -> None:
        super().__init__(model, options)
        self.fingerprint = f"blind:{model}"


def weight_blind() -> WeightBlindScorer:
    return WeightBlindScorer("letters", Weighted())


class ConstantInInit(WeightedScorer):
    def __init__(self, model: str, options: Any) -> None:
        super().__init__(model, options)
        self.fingerprint = "counts letters"

    def value(self, problem: tts.Problem, response: tts.Candidate) -> float:
        return len(response.text) / 10


def constant_in_init() -> ConstantInInit:
    return ConstantInInit("letters", Weighted())


class TooFewScorer(GoodScorer):
    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> Any:
        return [tts.Score(value=1, usage=COST) for _ in {one.answer for one in responses}]


class FloatScorer(GoodScorer):
    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> Any:
        return [self.value(problem, one) for one in responses]


class SortedScorer(GoodScorer):
    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> Any:
        return sorted(await super().score(problem, responses), key=lambda score: score.value)


class NormalisingScorer(GoodScorer):
    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> Any:
        best = max(self.value(problem, one) for one in responses)
        return [tts.Score(value=self.value(problem, one) / (best or 1), usage=COST) for one in responses]


class RandomScorer(GoodScorer):
    def value(self, problem: tts.Problem, response: tts.Candidate) -> float:
        return random.random()


class CountingScorer(GoodScorer):
    def __init__(self) -> None:
        self._asked = itertools.count()

    def value(self, problem: tts.Problem, response: tts.Candidate) -> float:
        return len(response.text) + next(self._asked) // 4


class IndexScorer(GoodScorer):
    def value(self, problem: tts.Problem, response: tts.Candidate) -> float:
        return len(response.text) - response.index


class MetadataScorer(GoodScorer):
    def value(self, problem: tts.Problem, response: tts.Candidate) -> float:
        return float(response.answer == problem.metadata.get("answer"))


class FussyScorer(GoodScorer):
    def value(self, problem: tts.Problem, response: tts.Candidate) -> float:
        return len(response.text) / len(response.text.split())


class SharingScorer(GoodScorer):
    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> Any:
        self._responses = responses
        await asyncio.sleep(0)
        return [tts.Score(value=self.value(problem, one), usage=COST) for one in self._responses]


class FreeScorer(GoodScorer):
    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> Any:
        return [tts.Score(value=self.value(problem, one)) for one in responses]


class SleepingScorer(GoodScorer):
    def value(self, problem: tts.Problem, response: tts.Candidate) -> float:
        time.sleep(0.03)
        return len(response.text) / 10


class OneLoopScorer(GoodScorer):
    _loop: asyncio.AbstractEventLoop | None = None

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> Any:
        self._loop = self._loop or asyncio.get_running_loop()
        turn = self._loop.create_future()
        self._loop.call_soon(turn.set_result, None)
        await turn
        return await super().score(problem, responses)


class NeverClosingScorer(GoodScorer):
    async def aclose(self) -> None:
        await asyncio.sleep(1)


SCORER_FAULTS = (
    (NoOptionsScorer, "check_scorer_declaration", "Options = tts.NoOptions"),
    (LooseOptionsScorer, "check_scorer_declaration", "derive it from tts.NoOptions"),
    (ConstantScorer, "check_scorer_fingerprint", "leave it out, and the library makes one"),
    (constant_in_init, "check_scorer_fingerprint", "leave it out, and the library makes one"),
    (weight_blind, "check_scorer_fingerprint", "with weight=0.51 it answers otherwise"),
    (NewFingerprintScorer, "check_scorer_declaration", "Make it from model, options and weights alone"),
    (TooFewScorer, "check_scores", "give one for each"),
    (FloatScorer, "check_scores", "must be a tts.Score"),
    (SortedScorer, "check_scores_follow", "in the order of the responses"),
    (NormalisingScorer, "check_scores_alone", "do not normalise over the batch"),
    (RandomScorer, "check_scores_again", "draw nothing at random"),
    (CountingScorer, "check_scores_again", "draw nothing at random"),
    (IndexScorer, "check_scores_by_content", "declare by_content = False"),
    (MetadataScorer, "check_scores_by_content", "declare by_content = False"),
    (FussyScorer, "check_scorer_odd_texts", "raise tts.BackendError that says why"),
    (SharingScorer, "check_scorer_at_once", "keep what belongs to a call in local variables"),
    (FreeScorer, "check_scorer_usage", "or declare light = True"),
    (SleepingScorer, "check_scorer_loop", "asyncio.to_thread"),
    (OneLoopScorer, "check_scorer_two_loops", "bind no lock, queue or task to a loop"),
    (NeverClosingScorer, "check_scorer_closes", "still runs"),
)

SAID: dict[str, str | None] = {"I say [[A]]": "a", "I say [[B]]": "b", "[[A]] or [[B]]": None}
_MARKERS = re.compile(r"\[\[[AB]\]\]")


class GoodFormat(tts.JudgeFormat):
    """Asks which is better."""

    def messages(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate) -> Any:
        text = f"{problem.text}\n\nA: {self.shown(a)}\n\nB: {self.shown(b)}\n\nSay [[A]] or [[B]], nothing else."
        return (tts.Message(role="user", content=text),)

    def shown(self, response: tts.Candidate) -> str:
        return neutralised(visible(response), _MARKERS)

    def read(self, text: str) -> Any:
        found = set(_MARKERS.findall(text))
        return {"[[A]]": "a", "[[B]]": "b"}[found.pop()] if len(found) == 1 else None


class LooseFormat(GoodFormat):
    model_config = ConfigDict(frozen=False)


class ForgetfulFormat(GoodFormat):
    def messages(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate) -> Any:
        return (tts.Message(role="user", content=f"A: {self.shown(a)} B: {self.shown(b)}"),)


class ListFormat(GoodFormat):
    def messages(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate) -> Any:
        return list(super().messages(problem, a, b))


class TellingFormat(GoodFormat):
    def shown(self, response: tts.Candidate) -> str:
        return neutralised(response.text, _MARKERS)


class SwappingFormat(GoodFormat):
    def messages(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate) -> Any:
        return super().messages(problem, b, a)


class SortingFormat(GoodFormat):
    def messages(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate) -> Any:
        return super().messages(problem, *sorted((a, b), key=visible))


class RenderingFormat(GoodFormat):
    def shown(self, response: tts.Candidate) -> str:
        return jinja2.Template(super().shown(response)).render()


class ControlledFormat(GoodFormat):
    def shown(self, response: tts.Candidate) -> str:
        return _MARKERS.sub("", visible(response))


class QuotingFormat(GoodFormat):
    def shown(self, response: tts.Candidate) -> str:
        return neutralised(visible(response))


class GuessingFormat(GoodFormat):
    def read(self, text: str) -> Any:
        return super().read(text) or "a"


class RaisingFormat(GoodFormat):
    def read(self, text: str) -> Any:
        return text[text.index("[[") + 2].lower()


class CapitalFormat(GoodFormat):
    def read(self, text: str) -> Any:
        return (super().read(text) or "").upper() or None


class MisreadingFormat(GoodFormat):
    def read(self, text: str) -> Any:
        return {"a": "b", "b": "a"}.get(super().read(text) or "")


FORMAT_FAULTS = (
    (LooseFormat, "check_format_parameters", "leave model_config"),
    (ForgetfulFormat, "check_prompt", "does not show the problem"),
    (ListFormat, "check_prompt", "must return a tuple"),
    (TellingFormat, "check_prompt_hides_thinking", "tts.prompts.visible"),
    (SwappingFormat, "check_prompt_order", "shows b before a"),
    (SortingFormat, "check_prompt_order", "the same whichever comes first"),
    (RenderingFormat, "check_prompt_odd_texts", "never as a template"),
    (ControlledFormat, "check_prompt_control_tokens", "tts.prompts.neutralised"),
    (QuotingFormat, "check_verdicts_in_responses", "a judge that quotes it votes so"),
    (GuessingFormat, "check_read_silence", "not a guess"),
    (RaisingFormat, "check_read", "what cannot be read is None"),
    (CapitalFormat, "check_read", "'a', 'b', 'tie' or None"),
    (MisreadingFormat, "check_read", "not 'a'"),
)


class GoodJudge:
    """Prefers the longer one, and draws where that is no help."""

    Options = tts.NoOptions

    async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> Any:
        return tts.Verdict(winner=self.winner(a, b, random.Random(seed)), usage=COST)

    def winner(self, a: tts.Candidate, b: tts.Candidate, rng: random.Random) -> Winner:
        return "a" if len(a.text) > len(b.text) else rng.choice(("a", "b"))

    async def aclose(self) -> None: ...


class NewFingerprintJudge(GoodJudge):
    def __init__(self) -> None:
        self.fingerprint = str(id(self))


class ConstantJudge(GoodJudge):
    fingerprint = "prefers the longer one"


class LetterJudge(GoodJudge):
    async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> Any:
        return "a"


class FreeJudge(GoodJudge):
    async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> Any:
        return tts.Verdict(winner="a")


class TossingJudge(GoodJudge):
    def winner(self, a: tts.Candidate, b: tts.Candidate, rng: random.Random) -> Winner:
        return random.choice(("a", "b", "tie", None))


class FussyJudge(GoodJudge):
    def winner(self, a: tts.Candidate, b: tts.Candidate, rng: random.Random) -> Winner:
        return "a" if a.text[0] < b.text[0] else "b"


class SleepingJudge(GoodJudge):
    def winner(self, a: tts.Candidate, b: tts.Candidate, rng: random.Random) -> Winner:
        time.sleep(0.1)
        return "a"


JUDGE_FAULTS = (
    (ConstantJudge, "check_judge_fingerprint", "leave it out, and the library makes one"),
    (NewFingerprintJudge, "check_judge_declaration", "Make it from model, options and weights alone"),
    (LetterJudge, "check_verdict", "must return a tts.Verdict"),
    (FreeJudge, "check_verdict", "count the call and its tokens"),
    (TossingJudge, "check_verdict_seed", "random.Random(seed)"),
    (FussyJudge, "check_verdict_odd_texts", "raise tts.BackendError that says why"),
    (SleepingJudge, "check_judge_loop", "asyncio.to_thread"),
)
