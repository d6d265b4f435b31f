"""One of several processes on one store: `python shared_run.py STORE LOG DELAY PROBLEMS`; logs what it asks for.

Its models say something else each time that they are asked, so two runs have one table only if they share every answer.
It begins when a line comes on standard input, and prints its table.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from doubles import FakeBackend, sums

import tts

STORE, LOG, DELAY, PROBLEMS = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])


def log(*what: object) -> None:
    with LOG.open("a") as file:
        file.write(" ".join(map(str, (os.getpid(), *what))) + "\n")


def chance(sides: int) -> int:
    return int.from_bytes(os.urandom(4), "big") % sides


class Moody(FakeBackend):
    @staticmethod
    def before(request: tts.Request) -> None:
        for seed in request.seeds:
            log("completion", request.context, seed)

    script = staticmethod(lambda _request, _index: f"I say \\boxed{{{chance(5)}}}, {chance(10**9)}")
    delay = staticmethod(lambda _request, _index: DELAY * chance(1000) / 500)


class MoodyScorer:
    fingerprint = "moody"

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
        for response in responses:
            log("score", problem.id, response.text)
        await asyncio.sleep(DELAY)
        return [tts.Score(value=chance(10**9), usage=tts.Usage(calls=1)) for _ in responses]

    async def aclose(self) -> None: ...


class MoodyJudge:
    fingerprint = "moody"

    async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> tts.Verdict:
        log("verdict", problem.id, a.text, b.text, seed)
        await asyncio.sleep(DELAY)
        return tts.Verdict(winner="ab"[chance(2)], usage=tts.Usage(calls=1))

    async def aclose(self) -> None: ...


if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    tts.plugins().register("backend", "moody", Moody)
    compared = tts.compare(
        sums(PROBLEMS), strategies=["majority", "gsr", "best_of_n", "knockout"], k=4, model="moody:m",
        scorer=MoodyScorer(), judge=MoodyJudge(), store=STORE, concurrency=8,
    )  # fmt: skip
    table = [[label, row.outcome.results[label].answer] for row in compared.rows for label in compared.strategies]
    print(json.dumps([table, [str(compared.accuracy(label)) for label in compared.strategies]]), flush=True)
