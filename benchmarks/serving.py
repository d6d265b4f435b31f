"""What the gateway costs, and what it survives, before an upstream of our own; see docs/serving.md.

    python benchmarks/serving.py overhead first-token faults restart soak [--minutes 10] [--requests 2000]

* overhead: 64 requests in flight, straight to an upstream that answers at once and through the gateway under the plain
  policy's name, interleaved rounds: milliseconds between answers (the reciprocal of the throughput) and CPU of the
  gateway's process for each request, medians. What is added is the gateway's.
* first-token: time to the first token of `gsr` (k = 4), against the slowest candidate and a plain call's first token.
* faults: 500 requests of 64 clients, while the upstream fails a fifth of its requests (errors, closed
  connections, broken JSON): lost, wrong.
* restart: `kill -9` of a gateway with a store in the middle of a request, and the same request to the next one: how
  many candidates the upstream was asked for anew.
* soak: requests of all kinds, a tenth of whose clients go away, for so many minutes: memory, open files, tasks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from aiohttp import web

IN_FLIGHT = 64
WORDS, BEFORE, EACH = 20, 0.2, 0.01  # of an answer that is streamed: words, seconds before the first, between two
FAULTS = ("error", "unavailable", "closed", "broken")
SUM = re.compile(r"(\d+)\+(\d+)")


# --- the upstream, in a process of its own ----------------------------------------------------------------------------


class Upstream:
    """Answers sums; `slow` is how long it takes for a candidate, `faults` the share of requests that it fails."""

    def __init__(self, slow: float, faults: float, streams: bool) -> None:
        self._slow, self._faults, self._streams = slow, faults, streams
        self._chance, self._asked = random.Random(0), 0

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self._asked += body.get("n") or 1
        if (failed := self._fail(request)) is not None:
            return failed
        prompt = str(body["messages"][-1]["content"])
        found = SUM.search(prompt)  # the probes of a client ask for no sum
        a, b = (int(found[1]), int(found[2])) if found else (0, 0)
        text = " ".join(["so"] * (WORDS - 1) + [f"\\boxed{{{a + b}}}"])
        if body.get("stream"):
            return await self._stream(request, text)
        whole = BEFORE + WORDS * EACH if self._streams and not self._slow else 0.0
        await asyncio.sleep(whole or self._slow * (1 + (body.get("seed") or 0) % 8 / 8))
        choices = [
            {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            for i in range(body.get("n") or 1)
        ]
        usage = {"prompt_tokens": 20, "completion_tokens": WORDS, "total_tokens": 20 + WORDS}
        return web.json_response({"object": "chat.completion", "choices": choices, "usage": usage})

    def _fail(self, request: web.Request) -> web.StreamResponse | None:
        if self._chance.random() >= self._faults:
            return None
        fault = self._chance.choice(FAULTS)
        if fault == "closed":
            assert request.transport is not None
            request.transport.abort()
        if fault == "broken":
            return web.Response(text='{"choices": [', content_type="application/json")
        status = 503 if fault == "unavailable" else 500
        return web.json_response({"error": {"message": fault}}, status=status)

    async def _stream(self, request: web.Request, text: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(self._slow or BEFORE)
        for place, word in enumerate(text.split(" ")):
            delta = {"content": word if place == 0 else f" {word}", **({"role": "assistant"} if place == 0 else {})}
            await self._event(response, {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            await asyncio.sleep(EACH)
        await self._event(response, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 20, "completion_tokens": WORDS, "total_tokens": 20 + WORDS}
        await self._event(response, {"choices": [], "usage": usage})
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _event(self, response: web.StreamResponse, event: dict[str, Any]) -> None:
        await response.write(f"data: {json.dumps({'object': 'chat.completion.chunk', **event})}\n\n".encode())

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "m", "max_model_len": 4096}]})

    async def asked(self, _: web.Request) -> web.Response:
        return web.json_response(self._asked)


def serve(pipe: Connection, settings: tuple[float, float, bool]) -> None:
    async def main() -> None:
        upstream, app = Upstream(*settings), web.Application()
        app.router.add_get("/v1/models", upstream.models)
        app.router.add_get("/asked", upstream.asked)
        app.router.add_post("/v1/chat/completions", upstream.complete)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


@contextmanager
def upstream(slow: float = 0.0, faults: float = 0.0, *, streams: bool = False) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, (slow, faults, streams)), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{here.recv()}"
    process.kill()
    process.join()


# --- the gateway, as one starts it ------------------------------------------------------------------------------------


@contextmanager
def gateway(base: str, *options: str, streams: bool = False) -> Iterator[tuple[subprocess.Popen[str], str]]:
    model = f"openai:m@base_url={base}/v1{',stream=true' if streams else ''}"
    command = [sys.executable, "-m", "tts", "serve", "--port", "0", "-m", model, *options]
    with (
        Path(os.devnull).open("w") as nowhere,
        subprocess.Popen(command, stdout=nowhere, stderr=subprocess.PIPE, text=True) as program,
    ):
        try:
            assert program.stderr is not None
            said = ""
            while (found := re.search(r"at (http://127.0.0.1:\d+)/v1", said)) is None:
                said = program.stderr.readline()
                assert said, "the gateway has ended"
            yield program, found[1]
        finally:
            program.kill()


@asynccontextmanager
async def session(base: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        base, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(300)
    ) as made:
        while True:
            with suppress(aiohttp.ClientError):
                async with made.get("/ready") as response:
                    if response.status in (200, 404):  # the upstream has no such path
                        break
            await asyncio.sleep(0.05)
        yield made


def body(number: int, model: str = "m", **further: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": f"{number}+{number + 1}"}], **further}


async def ask(made: aiohttp.ClientSession, number: int, model: str = "m", **further: Any) -> tuple[int, bool]:
    """The status, and whether the answer is right."""
    async with made.post("/v1/chat/completions", json=body(number, model, **further)) as response:
        said = await response.json()
        right = response.status == 200 and f"{{{2 * number + 1}}}" in said["choices"][0]["message"]["content"]
        return response.status, right


async def crowd(count: int, clients: int, one: Callable[[int], Awaitable[Any]]) -> list[Any]:
    """`count` requests by so many clients at once."""
    numbers, found = iter(range(count)), list[Any]()

    async def client() -> None:
        for number in numbers:
            found.append(await one(number))

    await asyncio.gather(*(client() for _ in range(clients)))
    return found


# --- what is measured -------------------------------------------------------------------------------------------------


async def overhead(requests: int, _: float) -> None:
    with upstream() as base, gateway(base) as (program, address):
        process = psutil.Process(program.pid)
        rows: dict[str, list[tuple[float, float]]] = {"straight": [], "through": []}
        async with session(base) as straight, session(address) as through:
            for round_ in range(6):
                for name, made in (("straight", straight), ("through", through)):
                    began, cpu = time.perf_counter(), sum(process.cpu_times()[:2])
                    found = await crowd(requests, IN_FLIGHT, lambda i, made=made: ask(made, i))  # type: ignore[misc]
                    assert all(right for _, right in found)
                    spent = sum(process.cpu_times()[:2]) - cpu
                    if round_:  # the first one warms up
                        rows[name].append(((time.perf_counter() - began) / requests * 1e3, spent / requests * 1e3))
        for name, seen in rows.items():
            wall, spent = (statistics.median(column) for column in zip(*seen, strict=True))
            print(f"{name:9} {wall:6.2f} ms a request, gateway's CPU {spent:5.2f} ms a request")
        added = statistics.median(row[0] for row in rows["through"]) - statistics.median(
            row[0] for row in rows["straight"]
        )
        print(f"added     {added:6.2f} ms a request with {IN_FLIGHT} in flight (bar: 1.5)")


async def first_token(_: int, __: float) -> None:
    async def first(made: aiohttp.ClientSession, model: str) -> float:
        began, found = time.perf_counter(), None
        async with made.post("/v1/chat/completions", json=body(7, model, stream=True)) as response:
            async for line in response.content:
                if found is None and b'"content": "so' in line:
                    found = time.perf_counter() - began
        assert found is not None
        return found

    with upstream(streams=True) as base, gateway(base, "-k", "4", streams=True) as (_program, address):
        async with session(base) as straight, session(address) as through:
            await ask(through, 1, "gsr")  # now it is known how the policy marks its thinking
            plain = statistics.median([await first(straight, "m") for _ in range(5)])
            refined = statistics.median([await first(through, "gsr") for _ in range(5)])
            began = time.perf_counter()
            await ask(straight, 1, "m", stream=False, seed=7)
            slowest = max(time.perf_counter() - began, BEFORE + WORDS * EACH)
    bar = slowest + 1.1 * plain
    print(f"first token: plain {plain:.3f} s, gsr {refined:.3f} s; slowest candidate {slowest:.3f} s, bar {bar:.3f} s")


async def faults(_: int, __: float) -> None:
    with upstream(faults=0.2) as base, gateway(base, "-k", "4") as (_program, address):
        async with session(address) as made:
            began = time.perf_counter()
            found = await crowd(500, IN_FLIGHT, lambda i: ask(made, i, ("m", "majority", "gsr")[i % 3]))
            seconds = time.perf_counter() - began
    lost = sum(status != 200 for status, _ in found)
    wrong = sum(status == 200 and not right for status, right in found)
    print(
        f"faults: {len(found)} requests, a fifth of the upstream's failed: {lost} lost, {wrong} wrong, {seconds:.1f} s"
    )


async def restart(_: int, __: float) -> None:
    with tempfile.TemporaryDirectory() as folder, upstream(slow=1.0) as base:
        async with aiohttp.ClientSession(base) as told:

            async def asked() -> int:
                async with told.get("/asked") as response:
                    return int(await response.json())

            store, wanted = ["--store", f"{folder}/gateway.db", "-k", "8"], {"seed": 3}
            with gateway(base, *store) as (program, address):
                async with session(address) as made:
                    begin = await asked()
                    asking = asyncio.create_task(ask(made, 5, "majority@decided_early=false", **wanted))
                    await asyncio.sleep(1.6)
                    before = await asked() - begin
                    os.kill(program.pid, signal.SIGKILL)
                    with suppress(aiohttp.ClientError):
                        await asking
            with gateway(base, *store) as (_program, address):
                async with session(address) as made:
                    begin = await asked()
                    status, right = await ask(made, 5, "majority@decided_early=false", **wanted)
                    anew = await asked() - begin
    print(
        f"restart: {before} candidates asked for, then kill -9; {anew} asked for anew, status {status}, right {right}"
    )


async def soak(_: int, minutes: float) -> None:
    async def numbers(made: aiohttp.ClientSession, process: psutil.Process) -> tuple[float, int, float]:
        async with made.get("/metrics") as response:
            tasks = re.search(r"^tts_tasks (\S+)", await response.text(), re.MULTILINE)
        return process.memory_info().rss / 1e6, process.num_fds(), float(tasks[1] if tasks else -1)

    async def one(made: aiohttp.ClientSession, number: int) -> None:
        model = ("m", "majority", "gsr", "usc", "cascade")[number % 5]
        if number % 10 == 9:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await ask(made, number % 1000, model)
        elif number % 7 == 0:
            async with made.post("/v1/chat/completions", json=body(number % 1000, model, stream=True)) as response:
                await response.read()
        else:
            await ask(made, number % 1000, model)

    with upstream(slow=0.05, faults=0.02, streams=True) as base, gateway(base, "-k", "4") as (program, address):
        process, asked, until = psutil.Process(program.pid), 0, time.monotonic() + 60 * minutes
        async with session(address) as made:
            work = partial(one, made)
            print("soak:   minute  requests  MB  files  tasks")
            while (now := time.monotonic()) < until:
                await crowd(400, 16, work)
                asked += 400
                if now + 60 * minutes / 10 > until or asked % 4000 == 0 or asked == 400:
                    await asyncio.sleep(0.5)
                    left = (now - until) / 60 + minutes
                    print(f"        {left:5.1f} {asked:9,}", *(f"{one:6.0f}" for one in await numbers(made, process)))


PARTS = {"overhead": overhead, "first-token": first_token, "faults": faults, "restart": restart, "soak": soak}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args()
    for name in given.parts or list(PARTS):
        print(f"-- {name}; load {os.getloadavg()[0]:.1f}", flush=True)
        asyncio.run(PARTS[name](given.requests, given.minutes))


if __name__ == "__main__":
    main()
