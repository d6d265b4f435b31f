"""Workers that are killed, stopped or deaf, a pool that is closed: whoever waits for a verdict hears of it."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from tts.answers import Answers, _pool, _worker
from tts.answers._pool import Pool, WorkerStartError

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="kills processes by their numbers")
LIMIT = 100.0  # seconds: a busy machine starts a worker in so many
LONG = r"\binom{10000000000}{100000}"  # takes for ever
EASY = [(rf"\ln {i * i}", rf"2\ln {i}") for i in range(2, 40)]


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(1, 2.0, 1024)
    yield pool
    pool.close()


def verdicts(pool: Pool, pairs: list[tuple[str, str]]) -> list[tuple[bool | None, str]]:
    return [(one.equal, one.outcome) for part in pool.submit(pairs) for one in part.result(LIMIT)]


def gone(pids: list[int]) -> bool:
    return not any(_state(pid) for pid in pids)


def _state(pid: int) -> str:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return state.replace("Z", "")


@pytest.mark.parametrize("which", ["fork", "standing by", "both"])
def test_killed_at_work_it_is_replaced_and_the_pair_is_tried_again(pool: Pool, which: str) -> None:
    verdicts(pool, EASY[:1])
    fork, standing_by = pool.pids()
    busy = pool.submit([(LONG, "1"), *EASY])
    time.sleep(0.3)
    for pid in {"fork": [fork], "standing by": [standing_by], "both": [standing_by, fork]}[which]:
        os.kill(pid, signal.SIGKILL)
    first, *others = [one for part in busy for one in part.result(LIMIT)]
    assert (first.equal, first.outcome) == (False, "timeout")
    assert all(one.equal for one in others)


def test_a_fork_that_is_stopped_is_cut_also_where_it_reads_no_request(pool: Pool, monkeypatch: Any) -> None:
    """The request is larger than the pipe: writing it must not wait for a reader that is not there."""
    monkeypatch.setattr(_pool, "_STARVED", 1.0)
    verdicts(pool, EASY[:1])
    fork, _ = pool.pids()
    os.kill(fork, signal.SIGSTOP)
    large = [(f"x + {'1' * 200_000}", "y"), EASY[0]]
    found = verdicts(pool, large)
    assert found[1] == (True, "decided")
    assert gone([fork])


def test_everybody_hears_when_the_pool_is_closed_also_whose_turn_had_not_come(pool: Pool) -> None:
    verdicts(pool, EASY[:1])
    pids = pool.pids()
    waiting = pool.submit([(LONG + str(i), "1") for i in range(100)])
    assert len(waiting) > 2
    time.sleep(0.3)
    pool.close()
    for part in waiting:
        with pytest.raises(RuntimeError, match=r"closed"):
            part.result(LIMIT)
    until(lambda: gone(pids))


def test_closing_the_service_is_no_cancellation_of_who_asked_it() -> None:
    async def main() -> list[Any]:
        answers = Answers(workers=1, time_limit=30)
        pairs = [(LONG + str(i), "1") for i in range(100)]
        asking = [asyncio.create_task(answers.grade_many(pairs[i::4])) for i in range(4)]
        while answers._pool is None or not answers._pool.pids():
            await asyncio.sleep(0.01)
        await answers.aclose()
        return await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), LIMIT)

    for heard in asyncio.run(main()):
        assert type(heard) is RuntimeError
        assert "closed" in str(heard)


@pytest.mark.parametrize(
    ("point", "failure"),
    [("send", ValueError("planted")), ("begin", SystemExit("planted")), ("line", KeyboardInterrupt("planted"))],
)
def test_a_failure_around_a_worker_is_heard_of_and_leaves_no_worker(
    pool: Pool, point: str, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts(pool, EASY[:1])
    pids = pool.pids()

    def planted(*_: Any, **__: Any) -> Any:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(_pool._Worker, point, planted)
        for part in pool.submit(EASY):
            with pytest.raises(type(failure), match="planted"):
                part.result(LIMIT)
    until(lambda: gone(pids))
    assert verdicts(pool, EASY[:1]) == [(True, "decided")]


def test_a_worker_that_does_not_get_ready_is_given_up_and_another_tried(pool: Pool, monkeypatch: Any) -> None:
    verdicts(pool, EASY[:1])
    fork, standing_by = pool.pids()
    os.kill(standing_by, signal.SIGSTOP)  # no fork of it will come
    os.kill(fork, signal.SIGKILL)
    assert verdicts(pool, EASY[:1]) == [(False, "timeout")]
    with monkeypatch.context() as patch:
        patch.setattr(_pool, "_START_LIMIT", 0.1)  # too little for another one, too
        with pytest.raises(WorkerStartError):
            verdicts(pool, EASY[:1])
    until(lambda: gone([fork, standing_by]))
    assert verdicts(pool, EASY[:1]) == [(True, "decided")]


def test_a_fork_that_nobody_has_heard_of_yet_ends_with_its_pool(pool: Pool) -> None:
    """After a cut the next fork has said that it is ready, and nobody has read it; another process holds the pipe."""
    assert verdicts(pool, [(LONG, "1")]) == [(False, "timeout")]
    (standing_by,) = pool.pids()
    (worker,) = pool._running
    until(lambda: not worker._lines.empty())
    assert worker._popen.stdin is not None
    holder = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=[worker._popen.stdin.fileno()]
    )
    children = Path(f"/proc/{standing_by}/task/{standing_by}/children").read_text().split()
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 5
    until(lambda: gone([standing_by, *map(int, children)]))
    holder.kill()
    holder.wait()


def test_a_fork_that_can_read_no_request_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()

    class Unreadable:
        buffer = property(lambda self: self)

        def __iter__(self) -> Iterator[bytes]:
            raise MemoryError

    def end(status: int) -> None:
        ended.put(threading.current_thread())
        raise SystemExit(status)  # of the thread

    monkeypatch.setattr(_worker.sys, "stdin", Unreadable())
    monkeypatch.setattr(_worker.os, "_exit", end)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # pytest's would tell a later test of it
    _worker._requests()
    ended.get(timeout=LIMIT).join(LIMIT)
