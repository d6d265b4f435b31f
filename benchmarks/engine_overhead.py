"""What the engine costs: an instant fake backend, 4 candidates per problem, first candidate chosen, store on.

    python benchmarks/engine_overhead.py [--problems 250000]

Prints completions per second, resident memory after the first 10,000 problems and at the end, the store's size.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

import tts

K = 4


class Instant:
    """A backend that answers at once."""

    Options = tts.NoOptions
    fingerprint = "instant"
    capabilities = tts.Capabilities(seed=True, concurrency=64)

    def __init__(self, model: str, options: object) -> None: ...

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        usage = tts.Usage(calls=1, prompt_tokens=20, answer_tokens=8)
        for index, seed in enumerate(request.seeds):
            text = f"The sum is \\boxed{{{seed % 7}}}"
            yield tts.Completion(index=index, text=text, summary=text, usage=usage)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 4 for text in texts]

    async def aclose(self) -> None: ...


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def problems(count: int) -> Iterator[tts.Example]:
    for i in range(count):
        yield tts.Example(problem=tts.Problem(id=f"p{i}", prompt=f"What is {i} + {i + 1}?"), answer=str(2 * i + 1))


async def measure(count: int, store: Path | None, strategy: str) -> None:
    warm_up, early = min(10_000, count // 2), 0.0
    async with tts.Engine(model="instant:x", store=store) as engine:
        started, cpu, done = time.perf_counter(), time.process_time(), 0
        async for _ in engine.run(problems(count), [strategy], K):
            done += 1
            if done == warm_up:
                early = resident_mb()
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        late = resident_mb()
    size = store.stat().st_size / 2**20 if store else 0.0
    print(
        f"| {strategy} | {'on' if store else 'off'} | {count:,} × {K} | {count * K / wall:,.0f} "
        f"| {count * K / cpu:,.0f} "
        f"| {early:.0f} | {late:.0f} | {late - early:+.0f} | {size:.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=250_000)
    parser.add_argument("--small", type=int, default=10_000, help="problems of the rows that only show rates")
    arguments = parser.parse_args()
    tts.plugins().register("backend", "instant", Instant)
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print("| strategy | store | problems | completions/s (wall) | (CPU) | RSS MB early | at end | growth | store MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for count, strategy, name in [
            (arguments.small, "majority", None),
            (arguments.small, "majority", "small.db"),
            (arguments.problems, "majority", "large.db"),
        ]:
            asyncio.run(measure(count, Path(folder, name) if name else None, strategy))


if __name__ == "__main__":
    main()
