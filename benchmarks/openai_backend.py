"""What the openai backend costs beside a bare aiohttp loop, and how near its schedule is to the best one.

    python benchmarks/openai_backend.py [--requests 10000] [--rounds 3]

1. Majority over 8, 64 requests in flight, against a local server that answers at once: CPU seconds of the client per
   1,000 requests and requests per second, interleaved rounds, medians. The bare loop is what one would write by hand:
   a semaphore, `session.post(json=...)`, a regular expression, a count. Ours has the store on, and seeds. Beside it
   stand the parts that it is made of: without the store, and the backend alone, without engine, strategy and store.
2. 64 problems × 8 with long-tailed latency: time to the first result and mean time to a result, against the best
   schedule for the very latencies that were served (a discrete-event simulation, problems in order, 64 in flight).
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import heapq
import json
import multiprocessing
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import aiohttp
from aiohttp import web

import tts

K, IN_FLIGHT = 8, 64


# --- the server, in a process of its own ------------------------------------------------------------------------------


def latency(prompt: str, seed: int, mean: float) -> float:
    """Log-normal, and the same for the same request."""
    return random.Random(f"{prompt}/{seed}").lognormvariate(0, 1) / 1.6487 * mean


def serve(pipe: Connection, mean: float) -> None:
    asyncio.run(_serve(pipe, mean))


async def _serve(pipe: Connection, mean: float) -> None:
    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "m", "max_model_len": 4096}]})

    async def complete(request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        seed, prompt = body.get("seed", 0), body["messages"][-1]["content"]
        if mean and "letters" not in prompt:
            await asyncio.sleep(latency(prompt, seed, mean))
        # The markers are what one of the peers reads (`openai_peers.py`).
        text = f"[[ ## answer ## ]]\nSo it is {seed} and in the end \\boxed{{{seed % 7}}}.\n\n[[ ## completed ## ]]"
        message = {"role": "assistant", "content": text}
        choices = [{"index": i, "message": message, "finish_reason": "stop"} for i in range(body.get("n") or 1)]
        usage = {"prompt_tokens": 20, "completion_tokens": 12, "total_tokens": 32}
        return web.json_response({"id": "x", "object": "chat.completion", "choices": choices, "usage": usage})

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.Event().wait()


class Served:
    """A server as long as the block lasts."""

    def __init__(self, mean: float) -> None:
        self._mean = mean

    def __enter__(self) -> str:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        self._process = context.Process(target=serve, args=(there, self._mean), daemon=True)
        self._process.start()
        return f"http://127.0.0.1:{here.recv()}/v1"

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()


# --- the clients ------------------------------------------------------------------------------------------------------


def examples(count: int) -> Iterator[tts.Example]:
    for i in range(count):
        yield tts.Example(problem=tts.Problem(id=f"p{i}", prompt=f"What is {i} + {i + 1}?"), answer=str(2 * i + 1))


def prompts(count: int) -> list[str]:
    from tts.prompts import direct_messages

    return [direct_messages(example.problem, "direct")[-1].content for example in examples(count)]


async def bare(base: str, problems: int, _: Path) -> None:
    limit = asyncio.Semaphore(IN_FLIGHT)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(prompt: str, seed: int) -> str:
            body = {
                "model": "m", "messages": [{"role": "user", "content": prompt}], "temperature": 0.6, "top_p": 0.95,
                "seed": seed,
            }  # fmt: skip
            async with limit, session.post(f"{base}/chat/completions", json=body) as response:
                answer = await response.json()
            return str(answer["choices"][0]["message"]["content"])

        async def solve(prompt: str) -> str:
            texts = await asyncio.gather(*(one(prompt, seed) for seed in range(K)))
            return collections.Counter(re.findall(r"\\boxed\{(.*?)\}", text)[-1] for text in texts).most_common(1)[0][0]

        await asyncio.gather(*(solve(prompt) for prompt in prompts(problems)))


async def ours(base: str, problems: int, folder: Path) -> None:
    await solved(base, problems, folder / f"{time.monotonic_ns()}.db")


async def solved(base: str, problems: int, store: Path | None) -> None:
    async with tts.Engine(model=f"openai:m@base_url={base}", store=store) as engine:
        outcomes = engine.run(examples(problems), ["majority"], K)
        answers = [outcome.results["majority"].answer async for outcome in outcomes]  # what the bare loop keeps
    assert len(answers) == problems
    assert None not in answers


async def unstored(base: str, problems: int, _: Path) -> None:
    await solved(base, problems, None)


async def backend_alone(base: str, problems: int, _: Path) -> None:
    cls = tts.plugins().resolve("backend", "openai")
    backend = await asyncio.to_thread(cls, "m", cls.Options(base_url=base))
    limit = asyncio.Semaphore(IN_FLIGHT // K)

    async def one(prompt: str) -> None:
        messages = (tts.Message(role="user", content=prompt),)
        request = tts.Request(messages=messages, n=K, sampling=tts.Sampling(), seeds=tuple(range(K)))
        async with limit:
            assert len([completion async for completion in backend.generate(request)]) == K

    await asyncio.gather(*(one(prompt) for prompt in prompts(problems)))
    await backend.aclose()


async def grouped(base: str, problems: int, folder: Path) -> None:
    await ours(f"{base},grouping=always", problems, folder)


class Cost(NamedTuple):
    cpu: float  # seconds per 1,000 completions
    rate: float  # completions per second


def cost(client: Callable[..., object], base: str, problems: int, folder: Path) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    asyncio.run(client(base, problems, folder))  # type: ignore[arg-type]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Cost(1000 * cpu / (K * problems), K * problems / wall)


def throughput(requests: int, rounds: int, folder: Path) -> None:
    clients = {
        "bare aiohttp loop": bare,
        "openai backend": ours,
        "the same without the store": unstored,
        "the backend alone": backend_alone,
        "openai backend, n = 8 in one request": grouped,
    }
    with Served(0.0) as base:
        for client in clients.values():
            cost(client, base, 20, folder)
        costs = {name: [] for name in clients}
        for _ in range(rounds):
            for name, client in clients.items():
                costs[name].append(cost(client, base, requests // K, folder))
    print(f"{requests:,} completions, k = {K}, {IN_FLIGHT} in flight, instant server, {rounds} interleaved rounds\n")
    print("| client | CPU s per 1,000 | of the bare loop's | completions/s | of the bare loop's |")
    print("|---|---|---|---|---|")
    floor = costs["bare aiohttp loop"]
    for name, found in costs.items():
        cpu, rate = (statistics.median(getattr(one, field) for one in found) for field in Cost._fields)
        times = statistics.median(one.cpu / other.cpu for one, other in zip(found, floor, strict=True))
        speed = statistics.median(one.rate / other.rate for one, other in zip(found, floor, strict=True))
        print(f"| {name} | {cpu:.3f} | {times:.2f} | {rate:,.0f} | {speed:.2f} |", flush=True)


# --- the schedule -----------------------------------------------------------------------------------------------------


def simulate(latencies: list[list[float]]) -> list[float]:
    """When each problem would be decided if its requests started in order of the problems, whenever a slot is free."""
    free = [0.0] * IN_FLIGHT
    decided = []
    for problem in latencies:
        ends = []
        for seconds in problem:
            end = heapq.heappop(free) + seconds
            heapq.heappush(free, end)
            ends.append(end)
        decided.append(max(ends))
    return decided


async def decided_at(base: str, problems: int) -> list[float]:
    async with tts.Engine(model=f"openai:m@base_url={base}") as engine:
        await engine.count_tokens([])  # loads the model
        started = time.perf_counter()
        return [
            time.perf_counter() - started async for _ in engine.run(examples(problems), ["majority"], K)
        ]  # fmt: skip


def served(problems: int, mean: float) -> list[list[float]]:
    """The latencies that the server gives to what the engine asks: the seeds are the engine's own."""
    from tts.engine.draws import derive_seed, draw_key
    from tts.prompts import direct_messages

    found = []
    with Served(0.0) as base:
        cls = tts.plugins().resolve("backend", "openai")
        fingerprint = cls("m", cls.Options(base_url=base)).fingerprint
    for example in examples(problems):
        messages = direct_messages(example.problem, "direct")
        key = draw_key(example.problem, "sample", fingerprint, tts.Sampling(), messages)
        seeds = (derive_seed(key, index) & 0x7FFFFFFF for index in range(K))
        found.append([latency(messages[-1].content, seed, mean) for seed in seeds])
    return found


def schedule(problems: int, mean: float) -> None:
    best = simulate(served(problems, mean))
    with Served(mean) as base:
        found = asyncio.run(decided_at(base, problems))
    print(f"\n{problems} problems × {K}, log-normal latency of mean {mean:g} s, {IN_FLIGHT} in flight\n")
    print("| | first result s | mean s | last s |")
    print("|---|---|---|---|")
    rows = {"discrete-event optimum": best, "openai backend": found}
    for name, times in rows.items():
        print(f"| {name} | {min(times):.2f} | {statistics.mean(times):.2f} | {max(times):.2f} |")
    ratios = [of(found) / of(best) for of in (min, statistics.mean, max)]
    print(f"| ratio | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mean", type=float, default=1.0, help="seconds of latency in the second part")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        throughput(arguments.requests, arguments.rounds, Path(folder))
    schedule(64, arguments.mean)


if __name__ == "__main__":
    main()
