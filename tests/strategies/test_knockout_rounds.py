"""What of a knockout is in flight at one time: a judge that answers no earlier than it must."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from doubles import candidate_set

import tts

K, PATIENCE = 8, 60.0


def sets(problems: int) -> list[tts.Sampled]:
    texts = [f"so \\boxed{{{answer}}}" for answer in range(K)]
    return [tts.Sampled(candidate_set(*texts, problem=f"{p}+2")) for p in range(problems)]


class Held:
    """A judge of 64 slots that prefers the first and holds its verdicts back as `held` says."""

    Options = tts.NoOptions
    fingerprint = "held"

    async def compare(self, problem: tts.Problem, *_: tts.Candidate, seed: int) -> tts.Verdict:
        async with asyncio.timeout(PATIENCE), self.held(problem):
            return tts.Verdict(winner="a", usage=tts.Usage(calls=1))

    @asynccontextmanager
    async def held(self, problem: tts.Problem) -> AsyncIterator[None]:
        raise NotImplementedError
        yield

    async def aclose(self) -> None: ...


class Waves(Held):
    """No verdict of a wave comes before all of the wave have been asked for."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes, self.waiting, self.gate = sizes, 0, asyncio.Event()

    @asynccontextmanager
    async def held(self, problem: tts.Problem) -> AsyncIterator[None]:
        gate = self.gate
        self.waiting += 1
        if self.waiting == self.sizes[0]:
            self.sizes, self.waiting, self.gate = self.sizes[1:], 0, asyncio.Event()
            gate.set()
        await asyncio.wait_for(gate.wait(), 60)  # the others may have failed
        yield


class Laggard(Held):
    """The first round of one problem is not decided before another problem has come to its final."""

    def __init__(self, slow: str) -> None:
        self.slow, self.asked, self.final = slow, Counter[str](), asyncio.Event()

    @asynccontextmanager
    async def held(self, problem: tts.Problem) -> AsyncIterator[None]:
        self.asked[problem.text] += 1
        if problem.text == self.slow:
            await asyncio.wait_for(self.final.wait(), 60)
        elif self.asked[problem.text] == K - 1:
            self.final.set()
        yield


async def played(judge: Held, problems: int) -> list[str | None]:
    async with tts.Engine(judge=judge) as engine:
        outcomes = [outcome async for outcome in engine.compare(sets(problems), ["knockout"], K)]
    return [result.error for outcome in outcomes for result in outcome.results.values()]


def test_all_matches_of_a_round_and_of_all_problems_are_in_flight_together() -> None:
    async def main() -> None:
        judge = Waves([7 * 4, 7 * 2, 7])
        assert await played(judge, problems=7) == [None] * 7
        assert not judge.sizes

    asyncio.run(main())


def test_no_problem_waits_for_the_round_of_another() -> None:
    async def main() -> None:
        judge = Laggard("0+2")
        assert await played(judge, problems=3) == [None] * 3
        assert judge.asked == dict.fromkeys(["0+2", "1+2", "2+2"], K - 1)

    asyncio.run(main())
