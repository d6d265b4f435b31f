"""What users write, as type checkers see it: `make lint` reads this file with mypy and pyright in strict mode.

It is never run; each use stands for a name whose type must be known to the last part.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, assert_type

import tts
import tts.testing


def runs(folder: Path) -> float:
    result = tts.solve("What is 2+3?", strategy="gsr", k=4)
    assert_type(result, tts.Result)
    assert_type(result.answer, str | None)
    assert_type(result.usage["policy"].generated_tokens, int)
    run = tts.run([tts.Problem(id="p", prompt="2+3")], strategy=Longest(least=3), k=2, model="hf:miniature")
    run.report(str(folder / "run.html"))
    return sum(one.usage["policy"].prompt_tokens for one in run.results) / max(1, len(run.results))


def compares(folder: Path) -> str:
    samples = tts.sample("task:sums@size=20", k=8, store=folder / "sums.db")
    assert_type(samples, tts.Samples)
    assert_type(samples[0], tts.CandidateSet)
    assert_type(samples[0][0], tts.Candidate)
    assert_type(samples.answers, dict[str, str | None])
    table = tts.compare(samples, strategies=["first", tts.strategy("gsr", outputs=2)], k=4)
    gap = table.gap("gsr", "first")
    assert gap is not None
    return f"{table}\n{gap.low + gap.high:.1f} {table.strategies} {[pair.verdict for pair in table.pairs()]}"


async def engines(examples: Iterable[tts.Example]) -> list[str]:
    texts: list[str] = []
    async with tts.Engine(model=Echo("m", tts.NoOptions()), scorer="length:shorter", seed=1) as engine:
        async for outcome in engine.run(examples, [Longest()], 2):
            texts += [result.text or "" for result in outcome.results.values()]
    return texts


class Longest(tts.Strategy):
    """The longest response."""

    name: ClassVar[str] = "longest"
    needs: ClassVar[tts.Needs] = tts.Needs(scorer=True)

    least: int = 0

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        scores = await ctx.score(found.usable)
        clusters = await ctx.cluster([one.answer for one in found.usable])
        async with ctx.sample(2) as arriving:
            async for candidate in arriving:
                ctx.log("came", tokens=candidate.usage.generated_tokens)
        best = max(found.usable, key=lambda one: len(one.text))
        inner = await ctx.decide(tts.strategy("majority"))
        trace = {"scores": [score.value for score in scores], "clusters": len(clusters.sizes), "vote": inner.text}
        return tts.Decision(text=best.text, chosen=best.index, confidence=0.5, trace=trace)


class Echo:
    """A backend that says the prompt."""

    Options = tts.NoOptions
    capabilities = tts.Capabilities(seed=True)
    fingerprint = "echo"

    def __init__(self, model: str, options: Any) -> None: ...

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        for index in range(request.n):
            text = request.messages[-1].content
            thinking, summary = tts.split_thinking(text)
            usage = tts.Usage(calls=1, prompt_tokens=len(text), answer_tokens=len(text))
            yield tts.Completion(index=index, text=text, thinking=thinking, summary=summary, usage=usage)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    async def aclose(self) -> None: ...


class Brevity:
    """A scorer."""

    Options = tts.NoOptions
    fingerprint = "brevity"

    def __init__(self, model: str, options: Any) -> None: ...

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
        return [tts.Score(value=-len(one.text), usage=tts.Usage(calls=1)) for one in responses]

    async def aclose(self) -> None: ...


class Doubling(tts.Task):
    """Doubles of whole numbers."""

    name: ClassVar[str] = "doubling"

    size: int = 10

    def examples(self) -> Iterable[tts.Example]:
        for number in range(self.size):
            yield tts.Example(problem=tts.Problem(id=str(number), prompt=f"2*{number}"), answer=str(2 * number))


@tts.hookimpl
def tts_strategies() -> list[tts.Entry]:
    return [tts.Entry(name="longest", target="mine:Longest", summary="the longest response")]


@tts.testing.parametrize([*tts.testing.strategy_checks(Longest()), *tts.testing.task_checks(Doubling())])
def test_it_conforms(check: tts.testing.Check) -> None:
    check()


class TestEcho(tts.testing.BackendContract):
    @classmethod
    def make(cls) -> tts.Backend:
        return Echo("m", tts.NoOptions())


def test_it_decides() -> None:
    tts.testing.check_scorer(lambda: Brevity("", tts.NoOptions()))
    model = tts.testing.ScriptedModel(["\\boxed{2}", "\\boxed{3}"])
    clock = tts.testing.VirtualClock()
    assert_type(clock.now, float)
    decided = tts.testing.decide(Longest(), ["\\boxed{2}", "no"], model=model)
    assert decided.answer == "2"
