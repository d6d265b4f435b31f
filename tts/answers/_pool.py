"""Worker processes with a clock over them.

Processes are started clean (no fork of a process that holds threads, no `__main__` guard asked of scripts), lazily,
and serve any thread and any event loop. A fork that exceeds the limit on a pair is killed; its worker has the next one
within milliseconds. A pair's limit is processor time of its fork, because a verdict must not hang on what else is
running; the wall limit, for a fork that gets no processor or waits for something, lies far above it and counts from
when the pair first had a fork, a second attempt after a crash included. Where the system does not tell the processor
time of a process, the limit is wall time.
"""

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple

Pair = tuple[str, str] | tuple[str, str, list[Any]]  # two answers, and what is asked for where the problem says it
Outcome = Literal["decided", "timeout", "memory", "crash", "start", "hopeless"]

_START_LIMIT = 300.0  # seconds for a fresh interpreter to import SymPy: five of its own, on a machine that is busy
_LOOKS = 40  # at a pair's processor time in the time of one pair, once its wall time is over
_STARVED = 60.0  # seconds past its limit that a pair may go on for lack of a processor
_SHORTEST_WRITE = 2.0  # seconds, for a request to a fork on a machine that is busy
_LAST_LINES = 10.0  # seconds, for the end of what processes have written that are gone
_FEWEST, _MOST = 16, 256  # pairs of a request: for fewer a second worker is not worth its start
_MEMORY_OF_FAILURES = 64


class Judgement(NamedTuple):
    """Verdict on one pair; anything but "decided" comes with `equal` False. A second opinion may have none (`None`)."""

    equal: bool | None
    asymmetric: bool
    outcome: Outcome


class WorkerStartError(RuntimeError):
    """Worker processes end before they are ready."""

    def __init__(self) -> None:
        super().__init__(
            "a worker of the answers service does not start: is memory_mb too small, or math-verify missing? "
            f"See `{sys.executable} -m tts.answers._worker 2 512 ours`"
        )


class _Failure(NamedTuple):
    """What went wrong with a pair that has no verdict; after a crash, when its time is over."""

    outcome: Outcome
    deadline: float | None


class _Worker:
    """One worker, the process that stands by and the fork that works, with a thread that collects the lines."""

    def __init__(self, time_limit: float, memory_mb: int, judge: str) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        # One malloc arena: others reserve address space that the memory limit counts.
        environment = {**os.environ, "PYTHONPATH": path, "MALLOC_ARENA_MAX": "1"}
        command = [sys.executable, "-P", "-m", "tts.answers._worker", str(time_limit), str(memory_mb), judge]
        self._popen = subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            process_group=0,  # with its forks; so all can be ended, also one that nobody knows yet
        )
        self._ending = threading.Lock()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._collector = threading.Thread(target=self._collect, daemon=True)
        self._collector.start()
        self._time_limit = time_limit
        self._fork: int | None = None
        self._used = 0.0  # CPU seconds of the fork when the pair began
        self.deadline = 0.0
        self.gone = False

    @property
    def pids(self) -> list[int]:
        """Process ids: the fork's, where there is one, and that of the process that stands by."""
        return [pid for pid in (self._fork, self._popen.pid) if pid is not None]

    def _collect(self) -> None:
        assert self._popen.stdout is not None
        try:
            with contextlib.suppress(ValueError, OSError):
                for line in self._popen.stdout:
                    if line != b"\n":
                        self._lines.put(line.decode().rstrip("\n"))
        finally:
            self._lines.put("")  # the end

    def send(self, pairs: Sequence[Pair], hopeless: Sequence[str]) -> None:
        """Send one request: pairs, and the expressions not to try; a worker that is gone then answers an empty line.

        Raises:
            WorkerStartError: it has no fork in time.
            TimeoutError: the fork does not read in the time of a pair.
        """
        started = time.monotonic()
        with contextlib.suppress(queue.Empty):
            while self._fork is None and not self.gone:  # lines of the fork before may still come
                self._next(started + _START_LIMIT)
        if self._fork is None:
            raise WorkerStartError
        with contextlib.suppress(BrokenPipeError):
            self._write(f"\n{self._fork} {json.dumps([pairs, hopeless])}\n".encode())

    def _write(self, request: bytes) -> None:
        """Write to the pipe as fast as it is read; a fork that is stopped reads nothing."""
        assert self._popen.stdin is not None
        if not hasattr(select, "poll"):
            self._popen.stdin.write(request)
            self._popen.stdin.flush()
            return
        pipe, room = self._popen.stdin.fileno(), select.poll()
        room.register(pipe, select.POLLOUT)
        rest = memoryview(request)
        while rest:
            if not room.poll(1000 * max(self._time_limit, _SHORTEST_WRITE)):
                raise TimeoutError
            rest = rest[os.write(pipe, rest[: select.PIPE_BUF]) :]

    def begin(self, deadline: float | None = None) -> None:
        """The time of a pair begins, or goes on until the deadline that it had before.

        A second attempt has what the first one left of the limit, half of it at least.
        """
        now = time.monotonic()
        self.deadline = deadline or now + self._time_limit
        spent = 0.0 if deadline is None else max(0.0, self._time_limit - max(deadline - now, self._time_limit / 2))
        self._used = _cpu_seconds(self._fork) - spent

    def line(self) -> str:
        """Next line; empty when the worker is gone.

        Raises:
            TimeoutError: none came in the time of the pair.
        """
        until = self.deadline
        while True:
            try:
                return self._next(until)
            except queue.Empty:
                if not self._starved():
                    raise TimeoutError from None
                until = time.monotonic() + self._time_limit / _LOOKS

    def _next(self, until: float) -> str:
        line = self._lines.get(timeout=max(until - time.monotonic(), 0.001))
        kind, _, rest = line.partition(" ")
        self._fork = int(rest) if kind == "ready" else None if kind == "memory" else self._fork
        self.gone = self.gone or not line
        return line

    def _starved(self) -> bool:
        had = _cpu_seconds(self._fork) - self._used
        return had < self._time_limit and time.monotonic() < self.deadline + _STARVED

    def cut(self) -> None:
        """Kill the fork; the next one says when it is ready. Where the system has no forks, the worker is gone."""
        fork, self._fork = self._fork, None
        if not hasattr(os, "fork"):
            self.gone = True
            self._popen.kill()
        elif fork is not None:
            with contextlib.suppress(OSError):
                os.kill(fork, signal.SIGKILL)

    def stop(self) -> None:
        """End all its processes, whoever waits for a line then gets the empty one."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        with self._ending:  # who closes the pool and who finds the worker gone may both come here
            if self._popen.returncode is None:  # until it is waited for, its number is its own
                self._kill_all()
                self._popen.wait()
            with contextlib.suppress(OSError):
                self._popen.stdin.close()
            self._collector.join(_LAST_LINES)
            if not self._collector.is_alive():  # else another process holds the pipe, and it is not to be closed
                self._popen.stdout.close()

    def _kill_all(self) -> None:
        if not hasattr(os, "killpg"):
            self._popen.kill()
            return
        with contextlib.suppress(OSError):
            os.killpg(self._popen.pid, signal.SIGKILL)


def _cpu_seconds(pid: int | None) -> float:
    """CPU time that a process has had; infinite where the system does not say, or it is dead and gets no more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        if fields[0] == "Z":
            return float("inf")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return float("inf")


class Pool:
    """Up to `workers` processes that judge pairs of answers, for any number of threads and event loops.

    `judge` is "ours", or the name of a second opinion.
    """

    def __init__(self, workers: int, time_limit: float, memory_mb: int, judge: str = "ours") -> None:
        self._workers = workers
        self._time_limit = time_limit
        self._memory_mb = memory_mb
        self._judge_name = judge
        self._idle: list[_Worker] = []
        self._running: set[_Worker] = set()
        self._strikes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="tts-answers")

    def pids(self) -> list[int]:
        """Process ids of the running workers."""
        with self._lock:
            return [pid for worker in self._running for pid in worker.pids]

    def submit(self, pairs: Sequence[Pair]) -> "list[Future[list[Judgement]]]":
        """Judgements of the pairs, in order, in parts spread over the workers."""
        # Several requests for each worker, because a few pairs take nearly all of the time.
        size = max(_FEWEST, min(_MOST, len(pairs) // (4 * self._workers)))
        return [self._executor.submit(self._judge, pairs[i : i + size]) for i in range(0, len(pairs), size)]

    def close(self) -> None:
        """Kill the workers; pairs under way fail with RuntimeError."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, set()
            self._idle = []
        for worker in running:
            worker.stop()
        self._executor.shutdown(wait=False)  # parts that wait have no worker, and say so

    def _take(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise RuntimeError("this Answers service is closed: make a new one")
            if self._idle:
                return self._idle.pop()
            worker = _Worker(self._time_limit, self._memory_mb, self._judge_name)
            self._running.add(worker)
            return worker

    def _put_back(self, worker: _Worker) -> None:
        if worker.gone:
            worker.stop()
        with self._lock:
            if worker.gone:
                self._running.discard(worker)
            else:
                self._idle.append(worker)

    def _judge(self, pairs: Sequence[Pair]) -> list[Judgement]:
        judgements: list[Judgement] = []
        crashed_at, deadline = -1, None
        while len(judgements) < len(pairs):
            failure = self._serve(pairs[len(judgements) :], judgements, deadline)
            deadline = None
            if failure is None:
                continue
            # One crash may have come from outside (a kill); a second one on the same pair is the pair's doing.
            if failure.outcome in {"crash", "start"} and crashed_at != len(judgements):
                crashed_at, deadline = len(judgements), failure.deadline
            elif failure.outcome == "start":
                raise WorkerStartError
            else:
                judgements.append(Judgement(equal=False, asymmetric=False, outcome=failure.outcome))
        return judgements

    def _serve(self, pairs: Sequence[Pair], judgements: list[Judgement], deadline: float | None) -> _Failure | None:
        """Append judgements as they come; what went wrong with the first pair that has none, or None.

        `deadline` is that pair's, where it has been tried before.
        """
        worker, texts, wanted = self._take(), list[str](), len(judgements) + len(pairs)
        outcome: Outcome | None = None
        try:
            worker.send(pairs, self._hopeless())
            worker.begin(deadline)
            while outcome is None and len(judgements) < wanted:
                kind, _, rest = worker.line().partition(" ")
                if kind == "parse":
                    texts = [json.loads(rest)]
                elif kind == "compare":
                    texts = [max(json.loads(rest), key=len)]
                elif kind == "verdict":
                    judgements.append(Judgement(*json.loads(rest)))
                    worker.begin()
                else:
                    outcome = "memory" if kind == "memory" else "crash"
        except TimeoutError:
            worker.cut()
            outcome = "timeout"
        except WorkerStartError:
            worker.gone, outcome = True, "start"
        except BaseException:
            worker.gone = True
            self._put_back(worker)
            raise
        self._put_back(worker)
        if outcome in {"timeout", "memory"}:
            self._strike(texts)
        return _Failure(outcome, worker.deadline if outcome == "crash" else None) if outcome else None

    def _hopeless(self) -> list[str]:
        """Expressions that failed twice; they are not tried again."""
        with self._lock:
            return [text for text, strikes in self._strikes.items() if strikes > 1]

    def _strike(self, texts: list[str]) -> None:
        with self._lock:
            for text in texts:
                self._strikes[text] = self._strikes.pop(text, 0) + 1
            while len(self._strikes) > _MEMORY_OF_FAILURES:
                self._strikes.pop(next(iter(self._strikes)))
