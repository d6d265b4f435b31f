"""A knockout over 100 problems x 8 candidates against perfectly parallel rounds: a judge of 50 ms, 64 in flight.

Perfect rounds: all matches of round 1 in waves of 64, then all of round 2, then round 3: ceil(400/64) + ceil(200/64) +
ceil(100/64) = 13 waves of 50 ms, 650 ms. They are also run, as bare sleeps, between the measurements. The engine has no
barrier between rounds, so it may stay below.

By default the clock is a quiet one: CPU seconds of this process plus the seconds that it sleeps, which is what the wall
shows where a core is free, also while others use this machine. `--wall` takes the wall itself.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import selectors
import statistics
import time
from collections.abc import AsyncGenerator, Sequence

import tts

PROBLEMS, K, LATENCY, IN_FLIGHT = 100, 8, 0.050, 64
SETS = [
    tts.CandidateSet(
        problem=tts.Problem(id=f"p{p}", prompt=f"problem {p}"),
        candidates=tuple(
            tts.Candidate(index=i, text=f"{p} {i} \\boxed{{{i}}}", summary=f"{p} {i} \\boxed{{{i}}}", answer=str(i))
            for i in range(K)
        ),
    )
    for p in range(PROBLEMS)
]


class SlowModel:
    """Says `[[A]]` after 50 ms."""

    Options = tts.NoOptions
    capabilities = tts.Capabilities(seed=True, concurrency=IN_FLIGHT)
    fingerprint = "slow"
    verdicts = 0

    def __init__(self, model: str, options: object) -> None: ...

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        await asyncio.sleep(LATENCY)
        for index in range(request.n):
            SlowModel.verdicts += 1
            yield tts.Completion(index=index, text="[[A]]", summary="[[A]]", usage=tts.Usage(calls=1, answer_tokens=3))

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 4 for text in texts]

    async def aclose(self) -> None: ...


class SlowJudge(SlowModel):
    """The same as a judge of its own kind, without a prompt."""

    async def compare(self, *_: object, seed: int) -> tts.Verdict:  # noqa: ARG002 - what a judge is given
        await asyncio.sleep(LATENCY)
        SlowModel.verdicts += 1
        return tts.Verdict(winner="a")


class QuietLoop(asyncio.SelectorEventLoop):
    """Its time is CPU time and what was slept; sleeping takes no time at all."""

    def __init__(self) -> None:
        loop = self

        class Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
            def select(self, timeout: float | None = None) -> list:
                ready = super().select(None if timeout is None else 0)
                if timeout and not ready:
                    loop.slept += timeout
                return ready

        self.slept = 0.0
        super().__init__(Selector())

    def time(self) -> float:
        return time.process_time() + self.slept


def now() -> float:
    return asyncio.get_running_loop().time()


async def knockout(judge: object) -> float:
    async with tts.Engine(judge=judge) as engine:
        started = now()
        outcomes = [o async for o in engine.compare((tts.Sampled(found) for found in SETS), ["knockout"], K)]
        seconds = now() - started
    assert len(outcomes) == PROBLEMS
    assert not any(outcome.errors for outcome in outcomes)
    return seconds


async def perfect_rounds() -> float:
    started = now()
    for matches in (PROBLEMS * K // 2, PROBLEMS * K // 4, PROBLEMS * K // 8):
        for _ in range(math.ceil(matches / IN_FLIGHT)):
            await asyncio.gather(*(asyncio.sleep(LATENCY) for _ in range(IN_FLIGHT)))
    return now() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--wall", action="store_true")
    arguments = parser.parse_args()
    repeats, loop = arguments.repeats, None if arguments.wall else QuietLoop
    tts.plugins().register("backend", "slow", SlowModel)
    waves = sum(math.ceil(PROBLEMS * K // 2**r / IN_FLIGHT) for r in (1, 2, 3))
    rows: dict[str, list[tuple[float, float]]] = {}
    for _ in range(repeats + 1):  # the first time warms up
        for name, make in (
            ("perfect rounds, bare sleeps", perfect_rounds),
            ("knockout, generic:slow:x (prompt, backend, verdict)", lambda: knockout("generic:slow:x")),
            ("knockout, a judge object", lambda: knockout(SlowJudge("", None))),
        ):
            cpu = time.process_time()
            with asyncio.Runner(loop_factory=loop) as runner:
                seconds = runner.run(make())
            rows.setdefault(name, []).append((seconds, time.process_time() - cpu))
    assert SlowModel.verdicts == 2 * (repeats + 1) * PROBLEMS * (K - 1)
    floor = waves * LATENCY
    print(f"{PROBLEMS} problems x {K} candidates, {PROBLEMS * (K - 1)} matches; floor {waves} waves = {floor:.3f} s")
    print("wall clock" if arguments.wall else "quiet clock: CPU seconds and sleep")
    for name, seen in rows.items():
        times = [seconds for seconds, _ in seen[1:]]
        best, middle, cpu = min(times), statistics.median(times), statistics.median(c for _, c in seen[1:])
        ratios = f"best {best:.3f} s = {best / floor:.3f}x, median {middle:.3f} s = {middle / floor:.3f}x"
        print(f"{name:52} {ratios}, CPU {cpu:.3f} s")


if __name__ == "__main__":
    main()
