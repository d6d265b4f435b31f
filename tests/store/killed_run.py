"""A run in a process of its own, to be killed: `python killed_run.py STORE LOG DELAY`; logs what it asks for."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from doubles import FakeBackend, sums

import tts

STORE, LOG, DELAY = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])


def before(request: tts.Request) -> None:
    kind = "refine" if "Candidate Response" in request.messages[0].content else "sample"
    with LOG.open("a") as file:
        file.writelines(f"{request.context} {kind} {seed}\n" for seed in request.seeds)


class Slow(FakeBackend):
    before = staticmethod(before)
    delay = staticmethod(lambda _request, _index: DELAY)


if __name__ == "__main__":
    tts.plugins().register("backend", "slow", Slow)
    say = lambda result: print(result.problem.id, flush=True)  # noqa: E731 - a listener
    run = tts.run(sums(30), strategy="gsr", k=4, model="slow:m", store=STORE, on_result=say)
    print("accuracy", run.accuracy("gsr").mean, flush=True)
