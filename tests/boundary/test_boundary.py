"""Whose deed an exception is, how it is told, what cannot end the process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import tts
from tts.boundary.foreign import Foreign, at_work
from tts.boundary.program import importing, kept
from tts.boundary.raised import ProcessEnd, did, passes, raised, shown
from tts.bridge.loop import run_sync


class MuteError(Exception):
    def __str__(self) -> str:
        raise SystemExit(9)

    __repr__ = __str__


def caught(deed: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as found:  # noqa: PT011 - any
        deed()
    return found.value


def raising(error: type[BaseException]) -> Callable[[], None]:
    def deed() -> None:
        raise error

    return deed


def test_what_was_raised_is_told_whatever_it_is() -> None:
    assert raised(ValueError("no")) == "ValueError: no"
    assert raised(ValueError()) == "ValueError"
    assert raised(ValueError("1 error:\n  no\n\n")) == "ValueError: 1 error: no"
    assert raised(MuteError()) == "MuteError (whose text raised SystemExit)"
    assert len(raised(ValueError("x" * 10**6))) < 1100
    assert did(SystemExit(3), " on problem 'p'") == "called sys.exit(3) on problem 'p'"
    assert did(ValueError("no"), " here") == "raised ValueError here: no"
    assert shown(MuteError()) == "<MuteError whose repr raised SystemExit>"
    assert len(shown("x" * 1000)) == 60


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, SystemExit, BaseException])
def test_what_a_plugin_raises_itself_does_not_pass(kind: type[BaseException]) -> None:
    assert not passes(caught(raising(kind)))


def test_a_real_interrupt_passes() -> None:
    def pressed() -> None:
        signal.raise_signal(signal.SIGINT)
        for _ in range(10**6):
            pass

    assert passes(caught(pressed))


def test_the_cancellation_of_a_task_passes_and_its_own_does_not() -> None:
    async def main() -> list[bool]:
        found = []

        async def waits(own: bool) -> None:
            try:
                if own:
                    raise asyncio.CancelledError
                await asyncio.Event().wait()
            except asyncio.CancelledError as error:
                found.append(passes(error))

        await waits(True)
        task = asyncio.create_task(waits(False))
        await asyncio.sleep(0)
        task.cancel()
        await task
        return found

    assert asyncio.run(main()) == [False, True]


def test_a_coroutine_that_is_closed_passes() -> None:
    found = []

    async def waits() -> None:
        try:
            await asyncio.sleep(1)
        except GeneratorExit as error:
            found.append(passes(error))
            raise

    async def main() -> None:
        coroutine = waits()
        coroutine.send(None)
        coroutine.close()

    asyncio.run(main())
    assert found == [True]


@pytest.mark.parametrize("end", ["_exit", "abort"])
def test_foreign_code_cannot_end_the_process(end: str) -> None:
    arguments = (3,) if end == "_exit" else ()
    with pytest.raises(ProcessEnd, match=f"os.{end}"), Foreign():
        getattr(os, end)(*arguments)
    assert not at_work()

    async def in_a_thread() -> None:
        with Foreign():
            await asyncio.to_thread(getattr(os, end), *arguments)

    with pytest.raises(ProcessEnd):
        asyncio.run(in_a_thread())


@pytest.mark.parametrize("executor", [False, True])
def test_neither_can_a_thread_that_it_starts_and_that_is_said(caplog: pytest.LogCaptureFixture, executor: bool) -> None:
    asked: Future[None] = Future()

    def end() -> None:
        asked.result()
        os._exit(3)

    with Foreign():
        if executor:
            pool = ThreadPoolExecutor(1)
            ended = pool.submit(end)
        else:
            thread = threading.Thread(target=end, name="theirs")
            thread.start()
    asked.set_result(None)  # the plugin has returned by now
    if executor:
        with pytest.raises(ProcessEnd, match=r"os\._exit\(3\)"):
            ended.result()
        pool.shutdown()
    else:
        thread.join()
        assert "'theirs' called os._exit(3): it is over, the run goes on" in caplog.text


def test_the_process_of_somebody_else_ends_as_it_is_told() -> None:
    code = "import os; from tts.boundary.foreign import Foreign\nwith Foreign(): pass\nos._exit(7)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 7


def test_a_forked_child_does_not_come_back_from_foreign_code() -> None:
    code = (
        "import os; from tts.boundary.foreign import Foreign\n"
        "with Foreign():\n  child = os.fork()\n  if not child: os._exit(5)\n"
        "  print(os.waitstatus_to_exitcode(os.wait()[1]))\n"
        "with Foreign():\n  os.fork()\nprint('once', flush=True)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, ["5", "once"])


CHANGES: dict[str, tuple[Callable[[], Any], str]] = {
    "folder": (lambda: os.chdir("/"), "changed the working directory to '/'"),
    "depth": (lambda: sys.setrecursionlimit(sys.getrecursionlimit() - 1), "set the recursion limit to"),
    "handler": (lambda: signal.signal(signal.SIGINT, signal.SIG_IGN), "took over Ctrl-C"),
    "stream": (lambda: setattr(sys, "stdout", None), "removed sys.stdout"),
    "descriptor": (lambda: os.close(0), "closed the file descriptor 0"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_program_needs_is_put_back_and_told(change: str) -> None:
    def state() -> list[object]:
        return [Path.cwd(), sys.getrecursionlimit(), signal.getsignal(signal.SIGINT), sys.stdout, bool(os.fstat(0))]

    deed, sentence = CHANGES[change]
    before = state()
    with importing() as told:
        deed()
    assert state() == before
    assert [sentence in one for one in told] == [True]


def test_our_warnings_and_log_lines_are_heard_again() -> None:
    silent = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", tts.PluginWarning)
        for _ in range(30):  # each a nested call: nothing may pile up
            with kept() as told:
                warnings.simplefilter("ignore")
                logging.disable(50)
        assert told == []
        assert warnings.filters[0][2] is tts.PluginWarning
        assert len(warnings.filters) < 50
    assert logging.root.manager.disable == silent


def test_a_task_of_a_plugin_that_exits_does_not_end_the_loop() -> None:
    async def leave() -> None:
        sys.exit(3)

    async def main() -> str:
        with Foreign():
            task = asyncio.create_task(leave())
        with pytest.raises(RuntimeError, match=r"it called sys\.exit\(3\)"):
            await task
        return "here"

    assert run_sync(main) == "here"


def test_a_loop_that_was_stopped_goes_on() -> None:
    async def main() -> str:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)
        return "here"

    assert run_sync(main) == "here"


def test_a_failure_after_a_stop_is_that_failure() -> None:
    async def main() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        run_sync(main)


def test_a_run_that_a_plugin_cancels_ends_in_a_sentence() -> None:
    async def main() -> None:
        for task in asyncio.all_tasks():
            task.cancel()
        await asyncio.sleep(1)

    with pytest.raises(tts.TTSError, match="cancelled from within"):
        run_sync(main)
    assert threading.active_count() > 0


def test_a_folder_that_a_plugin_leaves_is_the_old_one_afterwards(tmp_path: Path) -> None:
    here = Path.cwd()

    async def main() -> None:
        os.chdir(tmp_path)

    with pytest.warns(tts.PluginWarning, match="a plugin changed the working directory to"):
        run_sync(main)
    assert Path.cwd() == here
