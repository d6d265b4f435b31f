"""`tts eval` in a process that kills itself: `python killed_eval.py WRITES FILES eval ...`, with models `slow:`.

SIGKILL comes with the write to the store that WRITES counts down to, or with the file of the report that FILES does;
0 is never. Both are points that no clock and no busy machine can move.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from doubles import FakeBackend, FirstJudge, LengthScorer

import tts
from tts.cli import main
from tts.eval import protocol


def spoken(request: tts.Request, index: int) -> str:
    refined = "Candidate Response" in request.messages[-1].content
    seed = request.seeds[index]  # all that may decide what is said: a resumed run asks in other requests
    return f"<think>{'hm ' * (seed % 5)}</think>so \\boxed{{{seed % (2 if refined else 3)}}}"


class Slow(FakeBackend):
    script = staticmethod(spoken)
    delay = staticmethod(lambda _request, _index: 0.01)


def dies_after(times: int, act: Callable[..., Any]) -> Callable[..., Any]:
    left = times

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*given, **named)

    return counted


if __name__ == "__main__":
    tts.Store._put = dies_after(int(sys.argv[1]), tts.Store._put)
    protocol.write_whole = dies_after(int(sys.argv[2]), protocol.write_whole)
    for kind, cls in (("backend", Slow), ("scorer", LengthScorer), ("judge", FirstJudge)):
        tts.plugins().register(kind, "slow", cls)
    main(sys.argv[3:], prog_name="tts")
