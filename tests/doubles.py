"""Fakes for tests of our own logic: a policy that follows a script, a scorer, a judge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import tts

Script = Callable[[tts.Request, int], str]


def correct_sometimes(request: tts.Request, index: int) -> str:
    """`a+b` is solved right by three seeds of four; a refine prompt always."""
    prompt = request.messages[-1].content
    question = prompt.split("Problem:\n")[-1].split("\n")[0]
    a, b = (int(part) for part in question.split("+"))
    wrong = "Candidate Response" not in prompt and request.seeds[index] % 4 == 0
    return f"<think>adding</think>So it is \\boxed{{{a + b + wrong}}}"


class FakeBackend:
    """A policy that writes what `script` says; `requests` keeps every request, `live` counts unfinished ones."""

    Options = tts.NoOptions
    fingerprint = "fake"
    capabilities = tts.Capabilities(seed=True, concurrency=8, context_length=1000)
    script: Script = staticmethod(correct_sometimes)
    delay: Callable[[tts.Request, int], float] = staticmethod(lambda _request, _index: 0.0)
    before: Callable[[tts.Request], None] = staticmethod(lambda _request: None)

    def __init__(self, model: str, options: Any) -> None:
        self.model = model
        self.closed = False
        type(self).instances.append(self)

    def __init_subclass__(cls) -> None:
        cls.requests: list[tts.Request] = []
        cls.instances: list[FakeBackend] = []
        cls.live = 0

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        cls = type(self)
        cls.requests.append(request)
        cls.before(request)
        left = set(range(request.n))
        cls.live += 1
        try:
            for index in sorted(left, key=lambda i: cls.delay(request, i)):
                await asyncio.sleep(cls.delay(request, index))
                text = cls.script(request, index)
                thinking, summary = tts.split_thinking(text)
                left.discard(index)
                usage = tts.Usage(calls=1, prompt_tokens=10, cached_tokens=10 * (index > 0), answer_tokens=len(text))
                yield tts.Completion(index=index, text=text, thinking=thinking, summary=summary, usage=usage)
        finally:
            cls.live -= 1
            for _ in left:
                request.on_cancelled(tts.Usage(calls=1, prompt_tokens=10, answer_tokens=1))

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def aclose(self) -> None:
        self.closed = True

    @classmethod
    def completions(cls) -> int:
        """How many completions were asked for."""
        return sum(request.n for request in cls.requests)


class LengthScorer:
    """Scores a response by its length; counts calls."""

    Options = tts.NoOptions
    fingerprint = "length"
    batches: list[int] = []

    def __init__(self, model: str, options: Any) -> None: ...

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
        self.batches.append(len(responses))
        return [tts.Score(value=len(r.text), usage=tts.Usage(calls=1, prompt_tokens=5)) for r in responses]

    async def aclose(self) -> None: ...


class FirstJudge:
    """Always prefers the first of the two; counts calls."""

    Options = tts.NoOptions
    fingerprint = "first"
    calls: list[tuple[str, str]] = []

    def __init__(self, model: str, options: Any) -> None: ...

    async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> tts.Verdict:
        self.calls.append((a.text, b.text))
        return tts.Verdict(winner="a", usage=tts.Usage(calls=1, prompt_tokens=7, answer_tokens=1))

    async def aclose(self) -> None: ...


def sums(count: int, start: int = 0) -> list[tts.Example]:
    """`count` different little sums with their answers."""
    return [
        tts.Example(problem=tts.Problem(id=f"p{i}", prompt=f"{i}+{i + 1}"), answer=str(2 * i + 1))
        for i in range(start, start + count)
    ]


def candidate_set(*texts: str, problem: str = "1+2") -> tts.CandidateSet:
    """A stored set of these texts."""
    from tts.answers import extract

    candidates = []
    for index, text in enumerate(texts):
        thinking, summary = tts.split_thinking(text)
        answer = extract(summary) if summary else None
        candidates.append(tts.Candidate(index=index, text=text, thinking=thinking, summary=summary, answer=answer))
    return tts.CandidateSet(problem=tts.Problem(id="p", prompt=problem), candidates=tuple(candidates))


def boxed(*answers: object) -> tts.CandidateSet:
    """A stored set with these answers, in one wording."""
    return candidate_set(*[f"so \\boxed{{{answer}}}" for answer in answers])


def decide(
    found: tts.CandidateSet, strategy: tts.Strategy | str, model: str | None = None, **settings: Any
) -> tts.Result:
    """What one strategy makes of a stored set."""

    async def main() -> tts.Result:
        async with tts.Engine(model=model, **settings) as engine:
            outcomes = [o async for o in engine.compare([tts.Sampled(found)], [strategy], len(found))]
        return next(iter(outcomes[0].results.values()))

    return asyncio.run(main())


def recorded(found: tts.CandidateSet, **lists: list[object]) -> tts.CandidateSet:
    """The set as if a file had said this of its candidates."""
    problem = found.problem.model_copy(update={"metadata": {"recorded": lists}})
    return found.model_copy(update={"problem": problem})
