"""The tests' own waiting ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import Future

import pytest
from waiting import joined, line, soon, until


def never() -> bool:
    return False


def test_it_returns_when_the_condition_holds() -> None:
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 0.05)
    asyncio.run(soon(lambda: time.monotonic() > began + 0.1))


def test_the_limit_ends_it() -> None:
    with pytest.raises(AssertionError, match=r"not so after 0.05 s: never"):
        until(never, seconds=0.05)
    with pytest.raises(AssertionError, match="not so after 0.05 s: never"):
        asyncio.run(soon(never, seconds=0.05))


def test_what_should_bring_it_about_and_failed_is_raised() -> None:
    failed: Future[None] = Future()
    failed.set_exception(KeyError("the reason"))

    async def main() -> None:
        async def fails() -> None:
            raise KeyError("the reason")

        await soon(never, asyncio.create_task(fails()))

    with pytest.raises(KeyError, match="the reason"):
        until(never, failed)
    with pytest.raises(KeyError, match="the reason"):
        asyncio.run(main())


def test_what_should_bring_it_about_and_ended_is_named() -> None:
    thread = threading.Thread(target=lambda: None, name="short")
    thread.start()
    with pytest.raises(AssertionError, match=r"short.* has ended and it is not so: never"):
        until(never, thread)
    program = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with program, pytest.raises(AssertionError, match="has ended"):
        until(never, program)


def test_a_thread_and_a_line_of_a_program_are_waited_for_no_longer() -> None:
    halt = threading.Event()
    thread = threading.Thread(target=halt.wait, args=(60,), name="long")
    thread.start()
    with pytest.raises(AssertionError, match="long still runs"):
        joined(thread, 0.05)
    halt.set()
    joined(thread)
    with subprocess.Popen([sys.executable, "-c", "print('said')"], stdout=subprocess.PIPE, text=True) as program:
        assert line(program) == "said\n"
        with pytest.raises(AssertionError, match="ended with 0 instead of writing a line"):
            line(program)
