"""The bar that shows how far a call is, on a terminal or in a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tts.api.tally import Tally, Unit
from tts.output.text import printable
from tts.vocabulary.events import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

NOTEBOOK_SECONDS = 0.5  # between two changes of the line in a notebook, which is a message to the browser each


class Bar:
    """A bar of rich's with the rates behind it."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def update(self, tally: Tally) -> None:
        """Show where it stands."""
        self._progress.update(self._task, completed=tally.done, rates=tally.rates)

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._progress.console.print(printable(text), markup=False, highlight=False)


@contextmanager
def bar(tally: Tally) -> Iterator[Bar]:
    """A bar on stderr, gone at the end."""
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
        yield Bar(progress, progress.add_task(f"{tally.unit}s", total=tally.total, rates=""))


class _Display(Protocol):
    def update(self, tally: Tally) -> None: ...


class _Line:
    """One line of a notebook, changed as things happen."""

    def __init__(self, handle: Any) -> None:
        self._handle, self._shown = handle, 0.0

    def update(self, tally: Tally) -> None:
        if time.monotonic() - self._shown >= NOTEBOOK_SECONDS:
            self._shown = time.monotonic()
            self._handle.update({"text/plain": tally.line()}, raw=True)


@contextmanager
def following(progress: bool | None, unit: Unit, total: int | None) -> Iterator[list[Callable[[Event], None]]]:
    """What listens to a call and shows how far it is; nobody where nothing is to be shown."""
    handle = None if progress is False else _notebook()
    if handle is None and not (progress or (progress is None and sys.stderr is not None and sys.stderr.isatty())):
        yield []
        return
    tally = Tally(unit, total)

    def listening(display: _Display) -> Callable[[Event], None]:
        def listener(event: Event) -> None:
            tally.add(event)
            display.update(tally)

        return listener

    if handle is None:
        with bar(tally) as shown:
            yield [listening(shown)]
        return
    try:
        yield [listening(_Line(handle))]
    finally:
        handle.update({"text/plain": tally.line()}, raw=True)


def total_of(source: object, limit: int | None, each: int) -> int | None:
    """How many there will be, `each` for a problem, where that is cheap to say."""
    count = len(source) if isinstance(source, Sized) and not isinstance(source, str | bytes) else None
    known = [one for one in (count, limit) if one is not None]
    return min(known) * each if known else None


def _notebook() -> Any:
    """A place for a line in the notebook that this runs in, `None` elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython import display

    show: Any = display.display
    return show({"text/plain": ""}, raw=True, display_id=True)
