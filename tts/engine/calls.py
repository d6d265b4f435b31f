"""The calls of one model that are under way, which end together where it has been silent for too long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Self, TypeVar

from tts.boundary.foreign import Foreign
from tts.boundary.raised import did, passes
from tts.bridge.left import PATIENCE, end, leave
from tts.vocabulary.errors import BackendError, BackendTimeout, TTSError

T = TypeVar("T")
SILENT, UNSURE = 600.0, 3600.0  # seconds: ten minutes, an hour
_ASKING = 30.0  # seconds in which a model must say whether it is at work
_GIVEN_UP = 2  # silences with no answer between them, after which it is asked no more


class Limit(NamedTuple):
    """How many seconds a model may be silent: one that is not at work, and one that cannot tell; `None` is no limit."""

    silent: float | None
    unsure: float | None

    @classmethod
    def of(cls, given: float | str | None, *, writes: bool) -> Limit:
        """The limit that a call gives; "auto" leaves longer to a model that writes and cannot tell."""
        if isinstance(given, str):
            return cls(SILENT, UNSURE if writes else SILENT)
        return cls(given, given)


class Call:
    """One call: the task in which it runs, and what has become of it."""

    __slots__ = ("_calls", "abandon", "abandoned", "cancelling", "error", "task")

    def __init__(self, calls: Calls, task: asyncio.Task[Any], abandon: Callable[[BackendError], None]) -> None:
        self._calls = calls
        self.task: asyncio.Task[Any] = task
        self.cancelling: int = task.cancelling()
        self.abandon: Callable[[BackendError], None] = abandon
        self.error: BackendError | None = None  # why it was ended
        self.abandoned: bool = False  # it did not end when it was cancelled

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: object) -> None:
        """The call is over; where the silence was what cancelled its task, that is what is raised."""
        self._calls.ended(self)
        cancelled = kind is asyncio.CancelledError and self.error is not None
        if cancelled and self.task.uncancel() <= self.cancelling:
            raise self.error  # type: ignore[misc]  # not None here


class Calls:
    """What is asked of one model: begun, heard of, ended.

    A model is silent while something is asked of it and nothing at all comes back; how long one answer takes does not
    matter where others arrive. What shows without an answer that a model works, it can say itself: `at_work()`.
    """

    def __init__(self) -> None:
        self._open: dict[Call, None] = {}
        self.heard: float = time.monotonic()
        self.told: float = 0.0  # when somebody was last told of the silence
        self._silences = 0
        self._refusal: tuple[str, float] | None = None  # why nothing more is asked, and when it may be tried again
        self._asked_again = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def begin(
        self, task: asyncio.Task[Any] | None = None, abandon: Callable[[BackendError], None] = lambda _: None
    ) -> Call:
        """A call begins, in the current task or in the one given; raises `BackendTimeout` where it would be in vain.

        `abandon` is called where the call does not end, though it was cancelled.
        """
        self.check_open()
        task = task or asyncio.current_task()
        assert task is not None
        call = Call(self, task, abandon)
        if not self._open:
            self.heard = time.monotonic()
        self._open[call] = None
        return call

    def check_open(self) -> None:
        """Raise `BackendTimeout` where the model has been given up; from time to time one call may try."""
        if self._refusal is not None:
            sentence, until = self._refusal
            if time.monotonic() < until or self._open:
                raise BackendTimeout(f"{sentence}; it is asked no more for now", retryable=False)

    def answered(self) -> None:
        """The model has answered something."""
        self.heard = time.monotonic()
        self._silences, self._refusal = 0, None

    def ended(self, call: Call) -> None:
        """The call is over."""
        self._open.pop(call, None)

    def silent_for(self, now: float) -> float:
        """Seconds since it was heard of, while something is asked of it."""
        return now - self.heard if self._open else 0.0

    async def ask(self, name: str, work: Callable[[], Awaitable[T]], *, shows: bool = True) -> T:
        """What a call gives that is a single answer; raises `BackendTimeout` where the model is silent.

        `shows` says that the answer shows that the model works: a count of tokens does not.
        """

        async def run() -> T:
            try:
                with Foreign():
                    return await work()
            except BaseException as error:  # out of a task some would end the loop
                if passes(error) or isinstance(error, TTSError):
                    raise
                raise BackendError(f"{name} {did(error)}") from error

        def ended(_: object) -> None:
            if task.done() and not task.cancelled():
                task.exception()  # asyncio complains of one that nobody has looked at
            if not over.done():
                over.set_result(None)

        self.check_open()
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(run())
        task.add_done_callback(ended)
        call = self.begin(task, ended)
        try:
            await over
        except asyncio.CancelledError:
            await end([task], f"a call of {name}")
            raise
        finally:
            self.ended(call)
        if call.error is not None:
            raise call.error
        result = task.result()
        if shows:
            self.answered()
        return result

    # --- silence ---------------------------------------------------------------------------------------------------

    async def check(self, model: Any, name: str, limit: Limit) -> None:
        """End what is under way where the model has been silent for longer than it may be."""
        now = time.monotonic()
        if limit.silent is None or self.silent_for(now) < limit.silent or now < self._asked_again:
            return
        working = await _at_work(model)
        if working:
            self.heard = time.monotonic()
            return
        seconds = limit.silent if working is False else limit.unsure
        silent = self.silent_for(time.monotonic())
        if seconds is None or silent < seconds:  # ask again later: it may fall silent for good, or end by itself
            self._asked_again = time.monotonic() + min(60.0, limit.silent)
            return
        if calls := [call for call in self._open if call.error is None]:  # others are on their way to their end
            self._end(calls, name, silent, seconds)

    def _end(self, calls: list[Call], name: str, silent: float, limit: float) -> None:
        self._silences += 1
        sentence = f"{name} has answered nothing for {max(silent, limit):.3g} s (request_timeout={limit:g})"
        if self._silences >= _GIVEN_UP:
            self._refusal = (sentence, time.monotonic() + limit)
        for call in calls:
            call.error = BackendTimeout(sentence, retryable=self._silences < _GIVEN_UP)
            call.task.cancel()
        self.heard = time.monotonic()
        asyncio.get_running_loop().call_later(min(PATIENCE, max(limit, 1.0)), self._leave, calls, name)

    def _leave(self, calls: list[Call], name: str) -> None:
        """Those that did not end are answered for: who waits gets the error."""
        open_ = [call for call in calls if call in self._open and not call.task.done()]
        for call in open_:
            self.give_up(call)
        if open_:
            leave([call.task for call in open_], f"{len(open_)} calls of {name} do not end when they are cancelled")

    def give_up(self, call: Call) -> None:
        """Go on without a call that does not end."""
        call.abandoned = True
        self.ended(call)
        call.abandon(call.error or BackendTimeout("the call does not end", retryable=False))

    def left(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Go on without the calls that run in these tasks."""
        for call in [one for one in self._open if one.task in tasks]:
            self.give_up(call)


async def _at_work(model: Any) -> bool | None:
    """Whether the model says that it works at what it was asked; `None` where it cannot tell."""
    ask = getattr(model, "at_work", None)
    if ask is None:
        return None
    try:
        with Foreign():
            async with asyncio.timeout(_ASKING):
                said = await ask()
    except TimeoutError:
        return False
    except BaseException as error:  # a model is a plugin and may raise anything
        if passes(error):
            raise
        return None
    return None if said is None else bool(said)
