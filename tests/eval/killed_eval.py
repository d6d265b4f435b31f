"""`tts eval` in a process of its own, to be killed: `python killed_eval.py DELAY eval ...`, with models `slow:`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from doubles import FakeBackend, FirstJudge, LengthScorer

import tts
from tts.cli import main

DELAY = float(sys.argv[1])


def spoken(request: tts.Request, index: int) -> str:
    refined = "Candidate Response" in request.messages[-1].content
    seed = request.seeds[index]  # all that may decide what is said: a resumed run asks in other requests
    return f"<think>{'hm ' * (seed % 5)}</think>so \\boxed{{{seed % (2 if refined else 3)}}}"


class Slow(FakeBackend):
    script = staticmethod(spoken)
    delay = staticmethod(lambda _request, _index: DELAY)


if __name__ == "__main__":
    for kind, cls in (("backend", Slow), ("scorer", LengthScorer), ("judge", FirstJudge)):
        tts.plugins().register(kind, "slow", cls)
    main(sys.argv[2:], prog_name="tts")
