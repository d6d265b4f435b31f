"""Worker processes and the clock over them.

Processes are started clean (no fork of a process that holds threads, no `__main__` guard asked of scripts), lazily,
and serve any thread and any event loop. One that exceeds the limit on a pair is killed and replaced at once.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

Pair = tuple[str, str]
Outcome = Literal["decided", "timeout", "memory", "crash", "start", "hopeless"]

_START_LIMIT = 60.0  # seconds for a fresh interpreter to import SymPy, on a machine that is busy
_CHUNK = 256
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


class _Process:
    """One worker process with a thread that collects its lines."""

    def __init__(self, time_limit: float, memory_mb: int, judge: str) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        # One malloc arena: others reserve address space that the memory limit counts.
        environment = {**os.environ, "PYTHONPATH": path, "MALLOC_ARENA_MAX": "1"}
        command = [sys.executable, "-P", "-m", "tts.answers._worker", str(time_limit), str(memory_mb), judge]
        self._popen = subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._collector = threading.Thread(target=self._collect, daemon=True)
        self._collector.start()
        self._ready = False

    @property
    def pid(self) -> int:
        return self._popen.pid

    def _collect(self) -> None:
        assert self._popen.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._popen.stdout:
                self._lines.put(line.decode().rstrip("\n"))
        self._lines.put("")  # the end

    def send(self, pairs: Sequence[Pair], hopeless: Sequence[str]) -> None:
        """Send one request: pairs, and the expressions not to try.

        Raises:
            OSError: the process is gone.
            WorkerStartError: it ended before it was ready.
            TimeoutError: it was not ready in time.
        """
        if not self._ready:
            if self.line(_START_LIMIT) != "ready null":
                raise WorkerStartError
            self._ready = True
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps([pairs, hopeless]).encode() + b"\n")
        self._popen.stdin.flush()

    def line(self, seconds: float) -> str:
        """Next line; empty when the process is gone.

        Raises:
            TimeoutError: none came in that many seconds.
        """
        try:
            return self._lines.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            raise TimeoutError from None

    def stop(self) -> None:
        self._popen.kill()
        self._popen.wait()
        self._collector.join()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Pool:
    """Up to `workers` processes that judge pairs of answers, for any number of threads and event loops.

    `judge` is "ours", or the name of a second opinion.
    """

    def __init__(self, workers: int, time_limit: float, memory_mb: int, judge: str = "ours") -> None:
        self.restarts = 0
        self._workers = workers
        self._time_limit = time_limit
        self._memory_mb = memory_mb
        self._judge_name = judge
        self._idle: list[_Process] = []
        self._running: set[_Process] = set()
        self._strikes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="tts-answers")

    def pids(self) -> list[int]:
        """Process ids of the running workers."""
        with self._lock:
            return [process.pid for process in self._running]

    def submit(self, pairs: Sequence[Pair]) -> "list[Future[list[Judgement]]]":
        """Judgements of the pairs, in order, in parts spread over the workers."""
        size = min(_CHUNK, -(-len(pairs) // self._workers))
        return [self._executor.submit(self._judge, pairs[i : i + size]) for i in range(0, len(pairs), size)]

    def close(self) -> None:
        """Kill the workers; pairs under way fail with RuntimeError."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, set()
            self._idle = []
        for process in running:
            process.stop()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> _Process:
        with self._lock:
            if self._closed:
                raise RuntimeError("this Answers service is closed: make a new one")
            if self._idle:
                return self._idle.pop()
            process = _Process(self._time_limit, self._memory_mb, self._judge_name)
            self._running.add(process)
            return process

    def _replace(self, process: _Process) -> None:
        """Start the next process at once, so that its imports run while nobody waits."""
        process.stop()
        with self._lock:
            self._running.discard(process)
            self.restarts += 1
            if not self._closed:
                fresh = _Process(self._time_limit, self._memory_mb, self._judge_name)
                self._running.add(fresh)
                self._idle.append(fresh)

    def _judge(self, pairs: Sequence[Pair]) -> list[Judgement]:
        judgements: list[Judgement] = []
        crashed_at = -1
        while len(judgements) < len(pairs):
            process = self._start()
            start = len(judgements)
            failure = self._serve(process, pairs[start:], judgements)
            if failure is None:
                with self._lock:
                    self._idle.append(process)
                continue
            self._replace(process)
            # One crash may have come from outside (a kill); a second one on the same pair is the pair's doing.
            if failure in {"crash", "start"} and crashed_at != len(judgements):
                crashed_at = len(judgements)
            elif failure == "start":
                raise WorkerStartError
            else:
                judgements.append(Judgement(equal=False, asymmetric=False, outcome=failure))
        return judgements

    def _serve(self, process: _Process, pairs: Sequence[Pair], judgements: list[Judgement]) -> Outcome | None:
        """Append judgements as they come; what went wrong with the first pair that has none, or None."""
        texts: list[str] = []
        wanted = len(judgements) + len(pairs)
        try:
            asked = time.monotonic()
            process.send(pairs, self._hopeless())
            # Waiting for a fresh process counts, so that the limit is wall time; half of it is left in any case.
            deadline = max(asked + self._time_limit, time.monotonic() + self._time_limit / 2)
            while len(judgements) < wanted:
                kind, _, rest = process.line(deadline - time.monotonic()).partition(" ")
                if kind == "parse":
                    texts = [json.loads(rest)]
                elif kind == "compare":
                    texts = [max(json.loads(rest), key=len)]
                elif kind == "verdict":
                    equal, asymmetric, outcome = json.loads(rest)
                    judgements.append(Judgement(equal, asymmetric, outcome))
                    deadline = time.monotonic() + self._time_limit
                else:
                    return self._strike(texts, "memory" if kind == "memory" else "crash")
        except TimeoutError:
            return self._strike(texts, "timeout")
        except WorkerStartError:
            return "start"
        except OSError:
            return "crash"
        return None

    def _hopeless(self) -> list[str]:
        """Expressions that failed twice; they are not tried again."""
        with self._lock:
            return [text for text, strikes in self._strikes.items() if strikes > 1]

    def _strike(self, texts: list[str], outcome: Outcome) -> Outcome:
        with self._lock:
            for text in texts if outcome != "crash" else []:
                self._strikes[text] = self._strikes.pop(text, 0) + 1
            while len(self._strikes) > _MEMORY_OF_FAILURES:
                self._strikes.pop(next(iter(self._strikes)))
        return outcome
