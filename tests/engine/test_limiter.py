from __future__ import annotations

import asyncio
from collections.abc import Callable

from doubles import FakeBackend
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.engine.limiter import Limiter, rank


@given(
    slots=st.integers(1, 6),
    jobs=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.integers(1, 9), st.booleans()), max_size=25),
)
def test_never_over_the_slots_and_nobody_starves(slots: int, jobs: list[tuple[int, int, int, bool]]) -> None:
    held = peak = 0
    finished: list[int] = []

    async def job(limiter: Limiter, number: int, stage: int, problem: int, n: int) -> None:
        nonlocal held, peak
        got = await limiter.acquire(n, (stage, problem))
        assert got == min(n, slots)
        held += got
        peak = max(peak, held)
        try:
            await asyncio.sleep(0)
        finally:
            held -= got
            for _ in range(got):
                limiter.release(1)
        finished.append(number)

    async def main() -> None:
        limiter = Limiter(slots)
        tasks = [asyncio.create_task(job(limiter, i, *spec[:3])) for i, spec in enumerate(jobs)]
        await asyncio.sleep(0)
        for task, spec in zip(tasks, jobs, strict=True):
            if spec[3]:
                task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=5)
        assert await limiter.acquire(slots, (0, 0)) == slots, "every slot came back"

    asyncio.run(main())
    assert peak <= slots
    assert {i for i, spec in enumerate(jobs) if not spec[3]} <= set(finished)


def test_the_best_priority_is_served_first() -> None:
    served: list[tuple[int, int]] = []

    async def job(limiter: Limiter, priority: tuple[int, int]) -> None:
        held = await limiter.acquire(1, priority)
        served.append(priority)
        await asyncio.sleep(0)
        limiter.release(held)

    async def main() -> None:
        limiter = Limiter(1)
        await limiter.acquire(1, (0, 0))
        tasks = [asyncio.create_task(job(limiter, p)) for p in [(1, 5), (1, 0), (0, 9), (0, 2)]]
        await asyncio.sleep(0)
        limiter.release(1)
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert served == [(0, 2), (0, 9), (1, 0), (1, 5)]


@given(st.tuples(st.integers(0, 1), st.integers(0, 10**6)), st.tuples(st.integers(0, 1), st.integers(0, 10**6)))
def test_a_rank_orders_as_the_priority_does(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (rank(one) < rank(other)) == (one < other)


def test_a_backend_hears_of_the_priority(fake: Callable[..., type[FakeBackend]]) -> None:
    backend = fake()
    tts.run([f"{i}+1" for i in range(3)], model="fake:m", strategy="gsr", k=2)
    asked: dict[str, list[int]] = {"refine": [], "sample": []}
    for request in backend.requests:
        stage = "refine" if "Candidate Response" in request.messages[-1].content else "sample"
        asked[stage].append(request.priority)
    assert max(asked["refine"]) < min(asked["sample"])
    assert len(set(asked["sample"])) == 3
