"""A worker: reads pairs of answers from its standard input, writes verdicts to its standard output.

It is two processes. The first one imports SymPy and reads something, which takes seconds on a busy machine, and from
then on only stands by; a fork of it does the work, and when that is killed or dies, another fork of it, which takes
milliseconds. So a pair that has to be cut costs its time limit and no start. Where the system cannot fork there is one
process, started anew.

A fork says "ready <pid>". A request is a line "<pid> <JSON>", for that fork alone: a list of pairs, with what is asked
for as a third item where the problem says it, and a list of expressions not to try. For each pair come, in order, a
line "parse <text>" before every expression that is read, "compare [a, b]" when reading is done, and one "verdict
[equal, asymmetric, outcome]", or "memory", after which the fork ends. A second opinion is told without the lines before
it. The parent owns the clock and kills; a fork ends by itself when its standard input closes and when a pair takes more
CPU time than the parent has patience for.
"""

import contextlib
import gc
import json
import os
import queue
import signal
import sys
import threading
from typing import Any, BinaryIO

_PATIENCE = 3.0  # CPU seconds past the parent's limit after which a pair ends its fork, should the parent be dead
_LAST = 0  # exit status of a fork that wants no successor: the parent is gone, or forks cannot start
_MEMORY = 3


def _claim_output() -> BinaryIO:
    """The pipe to the parent, kept from anything else that prints."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return pipe


def _limit_memory(megabytes: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def _arm(seconds: float) -> None:
    """Let the operating system end the process: no signal handler of Python runs inside one long C call."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _requests() -> "queue.SimpleQueue[bytes]":
    """Requests to this process, read on a thread that ends it when the parent is gone.

    What is left of a request to the fork before is skipped: it is to another process, or begins in the middle.
    """
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    ours = str(os.getpid()).encode()

    def listen() -> None:
        try:
            for line in sys.stdin.buffer:
                addressee, _, request = line.partition(b" ")
                if addressee == ours:
                    requests.put(request)
        finally:  # also where a request does not fit into memory: a process that hears nothing must not stay
            os._exit(_LAST)

    threading.Thread(target=listen, daemon=True).start()
    return requests


def _stand_by() -> None:
    """Return in a fork of this process, and in another one whenever the one before has been killed or died."""
    if not hasattr(os, "fork"):
        return
    gc.freeze()  # collections of garbage would copy every page that is shared
    while child := os.fork():
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == _LAST:
            os._exit(_LAST)


_WARMING = (
    (r"\sqrt{8}x", r"2\sqrt{2}x"),
    (r"\ln 8", r"3\ln 2"),
    (r"\frac{1}{\sqrt[3]{2}}+e^{-x}", r"\log_{2}{x}-x!"),
    (r"\sin^2 x+\cos(2x)", r"\pi\tan\theta"),
    (r"x^2+y^2=1", r"y=2x_1+1"),
    (r"[0,1)\cup(2,\infty)", r"x\le 3"),
    (r"\{1,2\}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    (r"\sum_{k=1}^{n} k", r"\binom{n}{2}|x|"),
)


class _Hopeless(Exception):  # noqa: N818 - not an error: a way out of the recursion over readings
    pass


class _Worker:
    def __init__(self, output: BinaryIO, patience: float, judge: str) -> None:
        from tts.answers import _algebra, _second

        self._second = _second.JUDGES.get(judge)
        self._algebra = _algebra
        self._output = output
        self._patience = patience
        self._hopeless: frozenset[str] = frozenset()
        self._asymmetric = False

    def tell(self, kind: str, content: object) -> None:
        self._output.write(f"{kind} {json.dumps(content)}\n".encode())

    def algebra(self, a: str, b: str) -> bool:
        for text in (a, b):
            if text in self._hopeless:
                raise _Hopeless
            self.tell("parse", text)
            self._algebra.prepare(text)
        self.tell("compare", [a, b])
        verdict = self._algebra.decide(a, b)
        self._asymmetric |= verdict.asymmetric
        return verdict.equal

    def warm_up(self) -> None:
        """Have the tables of the LaTeX grammar built before the fork: else each new one pays for them out of a pair."""
        for a, b in _WARMING:
            self._algebra.decide(a, b)

    def judge(self, a: str, b: str, packed: list[Any] | None = None) -> None:
        from tts.answers._equality import compare
        from tts.answers.asked import read_as
        from tts.answers.expectation import NOTHING, unpacked

        asked = unpacked(packed) if packed else NOTHING

        self._asymmetric = False
        equal: bool | None = False
        outcome = "decided"
        try:
            equal = (
                self._second(a, b)
                if self._second
                else bool(compare(read_as(a, asked), read_as(b, asked), self.algebra))
            )
        except MemoryError:
            self.tell("memory", None)
            os._exit(_MEMORY)
        except _Hopeless:
            outcome = "hopeless"
        except Exception:  # whatever a computer algebra system raises on text from outside
            equal = False
        self.tell("verdict", [equal, self._asymmetric, outcome])

    def serve(self, request: bytes) -> None:
        pairs, hopeless = json.loads(request)
        self._hopeless = frozenset(hopeless)
        for pair in pairs:
            _arm(self._patience)
            self.judge(*pair)
        _arm(0)


def main() -> None:
    """Serve until standard input closes; arguments: time limit in seconds, memory limit in MB, who judges."""
    output = _claim_output()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    time_limit, memory, judge = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _limit_memory(memory)
    worker = _Worker(output, patience=time_limit + _PATIENCE, judge=judge)
    worker.warm_up()
    _stand_by()
    try:
        requests = _requests()
    except RuntimeError:  # no thread is to be had, nor would the next fork get one
        os._exit(_LAST)
    output.write(b"\n")  # the fork before may have died within a line
    worker.tell("ready", os.getpid())
    while True:
        worker.serve(requests.get())


if __name__ == "__main__":
    main()
