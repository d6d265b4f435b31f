"""Progress on stderr: a bar on a terminal, else a plain line now, another then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import click

from tts.cli import say
from tts.cli._interrupt import INTERRUPTED, interrupted, is_over, worded
from tts.cli._streams import prints_aside
from tts.output.text import printable
from tts.store.address import shown_store
from tts.vocabulary.events import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Unit = Literal["decision", "candidate"]
PLAIN_SECONDS = 10.0  # between two lines where there is no terminal
SHOWN_WAITS = 3  # of what is waited for, in one line
SHOWN = 5  # messages about single problems; a large run would drown in them


class Tally:
    """What has happened so far; `done` counts decisions or candidates, failed ones included."""

    def __init__(self, unit: Unit, total: int | None) -> None:
        self.unit, self.total = unit, total
        self.started = time.monotonic()
        self.done = self.candidates = self.stored = self.tokens = self.failed = 0

    def add(self, event: Event) -> None:
        """Count an event."""
        if event.kind == "candidate":
            self.candidates += 1
            self.stored += event.stored
        if event.kind in ("candidate", "call") and not event.stored:
            self.tokens += event.tokens
        self.failed += event.kind == "problem_failed"
        self.done += event.kind == self.unit or (self.unit == "decision" and event.kind == "problem_failed")

    @property
    def rates(self) -> str:
        """Per second, since the start."""
        seconds = max(time.monotonic() - self.started, 1e-3)
        tokens = f", {self.tokens / seconds:,.0f} tokens/s" if self.tokens else ""
        return f"{self.done / seconds:,.1f}/s{tokens}"

    @property
    def rest(self) -> str:
        """How many are to come, and about how long that takes at the rate so far; empty where nobody knows."""
        left = (self.total or 0) - self.done
        if left <= 0 or not self.done:
            return ""
        seconds = left * (time.monotonic() - self.started) / self.done
        return f"; {left:,} to go, ≈ {f'{seconds:.0f} s' if seconds < 100 else f'{seconds / 60:.0f} min'}"

    def line(self) -> str:
        """One line that says it all."""
        of = f"/{self.total}" if self.total else ""
        parts = [f"{self.done}{of} {self.unit}s"]
        if self.unit != "candidate" and self.candidates:
            parts.append(f"{self.candidates} candidates")
        if self.stored:
            parts.append(f"{self.stored} of them from the store")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.tokens:
            parts.append(f"{self.tokens:,} tokens")
        return f"{', '.join(parts)}; {self.rates}"


class _Display(Protocol):
    def update(self, tally: Tally) -> None: ...
    def note(self, text: str) -> None: ...


class _Plain:
    """A line now and then, from a thread: also while nothing happens, or the event loop is blocked."""

    def __init__(self, tally: Tally) -> None:
        self._tally, self._over = tally, threading.Event()
        self._thread = threading.Thread(target=self._run, name="tts-progress", daemon=True)
        self._thread.start()

    def update(self, tally: Tally) -> None: ...

    def note(self, text: str) -> None:
        say(text)

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


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def update(self, tally: Tally) -> None:
        self._progress.update(self._task, completed=tally.done, rates=tally.rates)

    def note(self, text: str) -> None:
        self._progress.console.print(printable(text), markup=False, highlight=False)


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
        live = sys.stderr.isatty() and not (streams and sys.stdout.isatty())
        with worded(lambda: _interrupted(tally, store)), prints_aside(), _display(tally, live=live) as display:
            yield _Listener(tally, display)
    except KeyboardInterrupt:
        interrupted(say, _interrupted(tally, store))
        raise click.exceptions.Exit(INTERRUPTED) from None
    if summary:
        say(tally.line())


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
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn()]
    # stdout is the data channel: rich must not take it over
    with Progress(
        *columns,
        TextColumn("{task.fields[rates]}"),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        yield _Bar(progress, progress.add_task(f"{tally.unit}s", total=tally.total, rates=""))
