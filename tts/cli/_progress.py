"""Progress on stderr: a bar on a terminal, else a plain line now, another then."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import click

from tts.api.progress import bar
from tts.api.tally import Tally, Unit
from tts.cli import say
from tts.cli._interrupt import INTERRUPTED, interrupted, is_over, worded
from tts.cli._quiet import is_quiet, tell
from tts.cli._streams import prints_aside
from tts.store.address import shown_store
from tts.vocabulary.events import Event

PLAIN_SECONDS = 10.0  # between two lines where there is no terminal
SHOWN_WAITS = 3  # of what is waited for, in one line
SHOWN = 5  # messages about single problems; a large run would drown in them


class _Display(Protocol):
    def update(self, tally: Tally) -> None: ...
    def note(self, text: str) -> None: ...


class _Plain:
    """A line now and then, from a thread: also while nothing happens, or the event loop is blocked."""

    def __init__(self, tally: Tally) -> None:
        self._tally, self._over = tally, threading.Event()
        self._thread = threading.Thread(target=self._run, name="tts-progress", daemon=True)
        if not is_quiet():
            self._thread.start()

    def update(self, tally: Tally) -> None: ...

    def note(self, text: str) -> None:
        tell(text)

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(PLAIN_SECONDS) and not is_over():
            say(f"{self._tally.line()}{self._tally.rest}{_waiting()}")


def _waiting() -> str:
    """What is waited for, as the end of a line; nothing where what runs does not know the engine yet."""
    watching = sys.modules.get("tts.engine.watchdog")
    found = watching.waited_for() if watching else []
    more = f" and {len(found) - SHOWN_WAITS} more" if len(found) > SHOWN_WAITS else ""
    return f"; waiting for {', '.join(found[:SHOWN_WAITS])}{more}" if found else ""


@contextmanager
def watch(
    unit: Unit, total: int | None, store: str | Path | None, *, streams: bool = False, summary: bool = True
) -> Iterator[Callable[[Event], None]]:
    """A listener for the engine that shows progress, and a `summary` line at the end.

    `streams` says that data goes to stdout meanwhile, which a bar would garble on the same terminal.

    Ctrl-C ends the command with one line: what is kept, and how to go on.
    """
    tally = Tally(unit, total)
    try:
        live = sys.stderr.isatty() and not is_quiet() and not (streams and sys.stdout.isatty())
        with worded(lambda: _interrupted(tally, store)), prints_aside(), _display(tally, live=live) as display:
            yield _Listener(tally, display)
    except KeyboardInterrupt:
        interrupted(say, _interrupted(tally, store))
        raise click.exceptions.Exit(INTERRUPTED) from None
    if summary:
        tell(tally.line())


def expected(source: str | None, limit: int | None) -> int | None:
    """How many problems there will be, where that is cheap to say: the lines of a JSON lines file, or the limit."""
    if source is None or not source.endswith(".jsonl") or not Path(source).is_file():
        return limit
    with Path(source).open("rb") as file:
        lines = sum(not line.isspace() for line in file)
    return lines if limit is None else min(lines, limit)


class _Listener:
    def __init__(self, tally: Tally, display: _Display) -> None:
        self._tally, self._display, self._shown = tally, display, 0

    def __call__(self, event: Event) -> None:
        self._tally.add(event)
        self._display.update(self._tally)
        if event.kind == "loading":
            self._display.note(f"loading {event.message}")
        elif event.kind == "understood":
            self._display.note(event.message)
        elif event.kind in ("problem_failed", "log") and self._shown <= SHOWN:
            self._shown += 1
            what = "failed: " if event.kind == "problem_failed" else ""
            more = f"{what}{event.problem}: {event.message}" if self._shown <= SHOWN else "more such messages not shown"
            self._display.note(more)


def _interrupted(tally: Tally, store: str | Path | None) -> str:
    if store is None:
        return f"interrupted after {tally.done} {tally.unit}s; nothing is kept: with --store FILE a run can be resumed"
    kept = f"{tally.candidates} candidates are kept in {shown_store(store)}"
    return f"interrupted after {tally.done} {tally.unit}s; {kept}: give the same command again to go on"


@contextmanager
def _display(tally: Tally, *, live: bool) -> Iterator[_Display]:
    if not live:
        plain = _Plain(tally)
        try:
            yield plain
        finally:
            plain.stop()
        return
    with bar(tally) as shown:
        yield shown
