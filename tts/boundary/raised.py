"""What foreign code has raised: whose deed it is, how it is told."""

from __future__ import annotations

import asyncio
import opcode
import threading
from types import TracebackType

_MOST = 1000  # characters of what an exception says of itself
_RAISE = opcode.opmap["RAISE_VARARGS"]


class ProcessEnd(SystemExit):
    """Raised in place of an end of the process that foreign code asked for; `call` is what it called."""

    def __init__(self, call: str) -> None:
        super().__init__(call)
        self.call: str = call


def raised(error: BaseException) -> str:
    """`ValueError: what it says of itself`, cut where that is long, whatever it does when it is asked."""
    return _with_text(type(error).__name__, error)


def did(error: BaseException, where: str = "") -> str:
    """The end of a sentence about who raised it: `raised ValueError on problem 'p': no`, `called sys.exit(3)`."""
    if isinstance(error, ProcessEnd):
        return f"called {error.call}{where}"
    if isinstance(error, SystemExit):
        return f"called sys.exit({shown(error.code)}){where}"
    return _with_text(f"raised {type(error).__name__}{where}", error)


def _with_text(words: str, error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())  # a sentence stands on one line; who wants its layout has the exception
    except BaseException as worse:  # the text of an exception is a stranger's code, too
        return f"{words} (whose text raised {type(worse).__name__})"
    return f"{words}: {text if len(text) <= _MOST else text[:_MOST] + ' …'}" if text else words


def shown(value: object, most: int = 60) -> str:
    """The `repr` of a stranger's value, cut, whatever it does when it is asked."""
    try:
        return f"{value!r:.{most}}"
    except BaseException as error:
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


def origin(error: BaseException) -> str:
    """The module whose code raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))


def passes(error: BaseException) -> bool:
    """Whether it is no deed of the code that it came out of, so that it has to go on.

    That is a Ctrl-C, the cancellation of the task that runs it, the end of a coroutine that nobody wants any more.
    """
    if isinstance(error, asyncio.CancelledError):
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return False  # no loop runs here, so nobody has cancelled
        return task is not None and task.cancelling() > 0
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread() and not _by_statement(error.__traceback__)
    return isinstance(error, GeneratorExit) and not _by_statement(error.__traceback__)


def _by_statement(trace: TracebackType | None) -> bool:
    """Whether a `raise` that stands in the code raised it; a signal interrupts any other instruction."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code
    handler = code.co_name == "_on_sigint" and "asyncio" in code.co_filename  # which raises for a second Ctrl-C
    return code.co_code[trace.tb_lasti] == _RAISE and not handler
