"""How long a test may take.

pytest-timeout fails a test that takes longer, and the run goes on. What this adds:

* a longer limit for tests with a marker that says they need it;
* the stacks of all threads and of all asyncio tasks, in the failure's report, where also a worker of xdist shows them;
* an end to the processes that the test has started;
* an end to the whole process, with its stacks, where a test cannot be interrupted: it swallows the failure, or waits
  inside a C call. A worker of xdist is then replaced, with the test named as what it crashed on.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

# By marker; `timeout` in pyproject.toml is for all others. The slowest that is not slow takes a tenth of its limit.
LIMITS = {"browser": 600, "vllm": 900, "sglang": 900, "ray": 900, "postgres": 900, "slow": 1800}
_GRACE = 60.0  # seconds after its limit in which a test must be over, its fixtures ended

_stderr = pytest.StashKey[int]()
_stacks = pytest.StashKey[str]()
_last_moment = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_stderr] = os.dup(2)  # later it is captured, and lost with the process


def pytest_unconfigure(config: pytest.Config) -> None:
    os.close(config.stash[_stderr])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Markers say the limit, unless a test does, or the command line: `--timeout=0` is for debugging."""
    if config.getoption("timeout") is not None:
        return
    for item in items:
        found = [seconds for marker, seconds in LIMITS.items() if item.get_closest_marker(marker)]
        if found and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(max(found)))


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Generator[None, Any, Any]:
    """Before pytest-timeout fails the test, write down where everything is: asyncio cancels its tasks at once."""
    done = yield
    failing = signal.getsignal(signal.SIGALRM)

    def write_down(number: int, frame: FrameType | None) -> None:
        item.stash[_stacks] = stacks()
        if callable(failing):
            failing(number, frame)

    if callable(failing):
        signal.signal(signal.SIGALRM, write_down)
    item.stash[_last_moment] = time.monotonic() + settings.timeout + min(_GRACE, settings.timeout)
    _arm(item)
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """A failure has let pytest stop the watch, and what the test has set up is still to be ended."""
    if isinstance(node, pytest.Item) and _last_moment in node.stash:
        _arm(node)


def _arm(item: pytest.Item) -> None:
    left = max(item.stash[_last_moment] - time.monotonic(), 0.1)
    faulthandler.dump_traceback_later(left, exit=True, file=item.config.stash[_stderr])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    began = time.time()
    try:
        return (yield)
    finally:
        if _stacks in item.stash:
            _end_processes_since(began)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and _stacks in item.stash:
        report.sections.append(("where everything was at the time limit", item.stash[_stacks]))
    return report


def stacks() -> str:
    """Where every thread and every unfinished asyncio task is."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    written = []
    for ident, frame in sys._current_frames().items():
        written += [f"Thread {names.get(ident, ident)}:\n", *traceback.format_stack(frame)]
    for task in [one for one in gc.get_objects() if issubclass(type(one), asyncio.Task) and not one.done()]:
        text = io.StringIO()
        task.print_stack(file=text)
        written.append(text.getvalue())
    return "".join(written)


def _end_processes_since(began: float) -> None:
    try:
        import psutil
    except ImportError:
        return
    for child in psutil.Process().children(recursive=True):
        try:
            if child.create_time() > began - 1:  # seconds: clocks differ
                child.kill()
        except psutil.Error:
            continue
