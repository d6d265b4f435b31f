"""How near our client comes to the best schedule under limits that it has to find out, over real connections.

    python benchmarks/rate_limits.py [--requests 400] [--scale 10]

1. Five requests at once, more are refused with `Retry-After` of a second, or without: against the same client that is
   told to keep five.
2. Sixty requests a minute, as a bucket that refills (full at first) and as a window, with `Retry-After` and without:
   against the best that anybody who goes evenly can do: requests / rate, less what a full bucket gives at once.

Answers take a quarter of a second. Time is scaled: with `--scale 10` a minute is six seconds, and answers, pauses and
the client's own constants of time (`MINUTE`, its first pauses, its ramp) are a tenth, too; the service says its pauses
by `retry-after-ms`. What cannot be scaled counts tenfold then: the way to the service and back, and how busy the
machine is; a refusal is heard of the later, and more has gone out meanwhile. `--scale 1` takes the time that it takes.
The client asks for its completions through the engine, 64 in flight at most, without a store.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

import tts
from tts.testing import Asked, Reply, Service, plain_reply
from tts_backends.openai import OpenAIBackend
from tts_backends.openai import pace as openai_pace

ANSWER, MINUTE, RATE = 0.25, 60.0, 1.0


class Limit:
    """A service with a limit; counts what it takes and refuses once it is `open`."""

    def __init__(self, admit: Callable[[float], float | None], scale: float, silent: bool, hold: bool = False) -> None:
        self._admit, self._scale, self._silent, self._hold = admit, scale, silent, hold
        self.open, self.taken, self.refused, self.there = False, 0, 0, 0

    def __call__(self, asked: Asked) -> Reply | Awaitable[Reply]:
        if not self.open or "chat" not in asked.path:
            return plain_reply(asked)
        wait = self._admit(time.monotonic() * self._scale)
        if self._hold and self.there >= 5:
            wait = 1.0
        if wait is not None:
            self.refused += 1
            headers = {} if self._silent else {"retry-after-ms": f"{1000 * wait / self._scale:.3f}"}
            body = json.dumps({"error": {"message": "Too many requests"}}).encode()
            return Reply((body,), 429, {"Content-Type": "application/json", **headers})
        return self._answered(asked)

    async def _answered(self, asked: Asked) -> Reply:
        self.taken += 1
        self.there += 1
        await asyncio.sleep(ANSWER / self._scale)
        self.there -= 1
        return plain_reply(asked)


def bucket(rate: float, burst: int) -> Callable[[float], float | None]:
    """So many a second, and so many at once after a rest."""
    left, at = float(burst), None

    def admit(now: float) -> float | None:
        nonlocal left, at
        left, at = min(burst, left + (0.0 if at is None else now - at) * rate), now
        if left < 1:
            return (1 - left) / rate
        left -= 1
        return None

    return admit


def window(most: int, span: float) -> Callable[[float], float | None]:
    """At most so many in any span of so many seconds."""
    log: deque[float] = deque()

    def admit(now: float) -> float | None:
        while log and log[0] <= now - span:
            log.popleft()
        if len(log) >= most:
            return math.ceil(log[0] + span - now)
        log.append(now)
        return None

    return admit


@contextlib.contextmanager
def scaled(scale: float) -> Iterator[None]:
    """The client's constants of time, as short as everything else."""
    old = {name: getattr(openai_pace, name) for name in ("MINUTE", "_FIRST", "_NEXT", "_RAMP", "_LONG")}
    for name, value in old.items():
        setattr(openai_pace, name, value * scale if name == "_RAMP" else value / scale)
    try:
        yield
    finally:
        for name, value in old.items():
            setattr(openai_pace, name, value)


def run(limit: Limit, requests: int, concurrency: int = 64) -> tuple[float, int]:
    """Seconds of scaled time, and how many candidates are there."""
    with Service(limit) as service:
        backend = OpenAIBackend("m", OpenAIBackend.Options(base_url=service.base, concurrency=concurrency))
        limit.open = True
        texts = [f"What is {i} + {i}?" for i in range(requests // 4)]
        problems = [tts.Example(problem=tts.Problem(id=text, prompt=text)) for text in texts]
        started = time.monotonic()
        found = list(tts.sample(problems, k=4, model=backend))
        seconds = (time.monotonic() - started) * limit._scale
        return seconds, sum(one.ok for one in itertools.chain.from_iterable(sampled.candidates for sampled in found))


def main() -> None:
    logging.getLogger("tts").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--scale", type=float, default=10.0)
    arguments = parser.parse_args()
    n, scale = arguments.requests, arguments.scale
    print("| limit | Retry-After | seconds | best | ratio | refused | lost |\n|---|---|---|---|---|---|---|")
    with scaled(scale):
        told = Limit(lambda _: None, scale, silent=False, hold=True)
        best, _ = run(told, n, concurrency=5)
        for silent in (False, True):
            limit = Limit(lambda _: None, scale, silent, hold=True)
            report("5 at once", silent, run(limit, n), best, limit, n)
        for name, make, ideal in (
            ("60 a minute, bucket", lambda: bucket(RATE, 60), (n - 60) / RATE),
            ("60 a minute, window", lambda: window(60, MINUTE), n / RATE),
        ):
            for silent in (False, True):
                limit = Limit(make(), scale, silent)
                report(name, silent, run(limit, n), ideal, limit, n)


def report(name: str, silent: bool, ran: tuple[float, int], best: float, limit: Limit, n: int) -> None:
    seconds, there = ran
    share = 100 * limit.refused / (limit.refused + limit.taken)
    after = "no" if silent else "yes"
    row = (name, after, f"{seconds:.1f}", f"{best:.1f}", f"{seconds / best:.3f}", f"{share:.1f} %", n - there)
    print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
