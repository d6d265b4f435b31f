"""The requests of one event loop on their way through batches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tts import BackendError
from tts_backends.openai_batch.entry import Entry
from tts_backends.openai_batch.ledger import MOST_BYTES, Ledger
from tts_backends.openai_batch.options import Options
from tts_backends.openai_batch.row import Answer, Row
from tts_backends.openai_batch.service import Look, Service

_FIRST, _GROWTH = 12, 1.5  # the first pause is a twelfth of the longest, and grows
_HELD = 1.0  # seconds until it is looked again whether another process has sent a batch
_GIVEN_UP = {"failed", "cancelled"}  # by the service as a whole, or by the user: nothing is asked at the full price
_TRICKLE = 60  # times the pause that ends gathering: so long it goes on where requests keep coming

_log = logging.getLogger("tts")


class Gatherer:
    """Gathers requests until no more come, has each in a batch, and hands out the answers."""

    def __init__(self, name: str, ledger: Ledger, service: Service, options: Options) -> None:
        self._name, self._ledger, self._service, self._options = name, ledger, service, options
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, list[asyncio.Future[Answer]]] = defaultdict(list)
        self._gathered: dict[str, Row] = {}
        self._bytes, self._began = 0, 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._most = options.rows
        self._placed: dict[str, Entry] = {}  # where the requests are that are waited for
        self._watched: dict[Entry, asyncio.Task[None]] = {}
        self._crowded: set[Entry] = set()  # those of them whose requests wait to be sent again
        self._sending: set[asyncio.Task[None]] = set()
        self._looks: dict[Entry, tuple[Look, float]] = {}  # with when it was taken up

    async def ask(self, row: Row) -> Answer:
        """The answer to a request, when its batch is over; raises `BackendError` where that is not known."""
        future: asyncio.Future[Answer] = self._loop.create_future()
        waiting = self._waiting[row.id]
        waiting.append(future)
        if len(waiting) == 1:
            self._gather(row)
        try:
            return await future
        finally:
            waiting.remove(future)
            if not waiting:
                self._waiting.pop(row.id, None)
                self._gathered.pop(row.id, None)
                self._placed.pop(row.id, None)
                self._leave()

    @property
    def busy(self) -> bool:
        """Whether anything is gathered, sent or waited for."""
        return bool(self._waiting)

    @property
    def words(self) -> str:
        """What is waited for, for people; empty where it is nothing."""
        now = time.monotonic()
        parts = [
            f"batch {entry.state.batch}: {look.done:,} of {look.total or len(entry.ids):,} done"
            f"{'' if look.status == 'in_progress' else f' ({look.status})'}, {_span(now - since)}"
            for entry, (look, since) in list(self._looks.items())
        ]
        return "; ".join(parts)

    def close(self) -> None:
        """End gathering and watching on this event loop; what is sent goes on without us, and who waits is told."""
        if asyncio.get_running_loop() is not self._loop:
            return
        self._fail(list(self._waiting), BackendError(f"{self._name} is closed; batches that were sent go on"))
        if self._alarm is not None:
            self._alarm.cancel()
        for task in [*self._watched.values(), *self._sending]:
            task.cancel()

    # --- gathering -------------------------------------------------------------------------------------------------

    def _gather(self, row: Row) -> None:
        if not self._gathered:
            self._bytes, self._began = 0, self._loop.time()
        self._gathered[row.id] = row
        self._bytes += len(row.line)
        if len(self._gathered) >= self._most or self._bytes >= MOST_BYTES:
            self._send()
            return
        last = self._began + _TRICKLE * self._options.gather
        self._wake(min(self._options.gather, max(last - self._loop.time(), 0.0)))

    def _wake(self, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_later(seconds, self._send)

    def _send(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        rows, self._gathered = list(self._gathered.values()), {}
        if rows:
            task = self._loop.create_task(self._place(rows))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _place(self, rows: Sequence[Row]) -> None:
        try:
            placed = await asyncio.to_thread(self._ledger.place, rows, self._most)
        except Exception as error:  # who waits hears of it, whatever it is
            self._fail([row.id for row in rows], error)
            return
        old = sum(entry not in placed.new for entry in placed.where.values())
        if old:
            _log.warning(
                "%s: %d of %d requests are in batches that were sent before, and are not sent again (%s)",
                self._name, old, len(rows), self._ledger.folder,
            )  # fmt: skip
        wanted = {name: entry for name, entry in placed.where.items() if name in self._waiting}
        self._placed |= wanted
        for entry in dict.fromkeys(wanted.values()):  # what nobody waits for any more is sent when somebody does
            if entry not in self._watched:
                self._watched[entry] = self._loop.create_task(self._watch(entry))

    # --- watching --------------------------------------------------------------------------------------------------

    async def _watch(self, entry: Entry) -> None:
        """See a batch through to its end, and give its answers to those who wait for them."""
        try:
            look = await self._over(entry)
            if look.crowded:
                await self._later(entry)
                return
            while wanted := self._wanted(entry):  # some may ask while the answers are read
                self._hand_out(entry, wanted, await asyncio.to_thread(entry.answers_to, wanted))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # as above
            self._fail(self._wanted(entry), error)
        finally:
            self._watched.pop(entry, None)
            self._crowded.discard(entry)
            self._looks.pop(entry, None)

    async def _over(self, entry: Entry) -> Look:
        """Wait until it is over and its answers are here."""
        state = entry.state
        if state.over:
            return Look(state.status, why=state.why)
        await self._sent(entry)
        since, pause = time.monotonic(), self._options.poll / _FIRST
        while True:
            look = await self._service.look(entry)
            self._looks[entry] = look, since
            if look.over:
                await self._service.fetch(entry, look)
                await asyncio.to_thread(entry.note, status=look.status, over=True, why=look.why)
                return look
            await asyncio.sleep(pause)
            pause = min(pause * _GROWTH, self._options.poll)

    async def _sent(self, entry: Entry) -> None:
        """The service has it; one process at a time sees to that."""
        while not (state := entry.state).batch:
            if state.over:  # it was refused when another process sent it
                raise BackendError(state.why)
            with entry.held() as mine:
                if mine and not entry.state.batch:
                    state = await self._service.send(entry)
                    _log.warning(
                        "batch %s: %d requests (%s); asked about every %.3g to %.3g s",
                        state.batch, len(entry.ids), entry.requests, self._options.poll / _FIRST, self._options.poll,
                    )  # fmt: skip
            if not mine:
                await asyncio.sleep(_HELD)

    async def _later(self, entry: Entry) -> None:
        """Send its requests once more when the service has room: after another batch, or in smaller files."""
        self._crowded.add(entry)
        others = [task for other, task in self._watched.items() if other not in self._crowded]
        if not others:
            if len(entry.ids) <= 1:
                raise BackendError(f"batch {entry.state.batch} was not taken: {entry.state.why}")
            self._most = max(1, len(entry.ids) // 2)
        _log.warning(
            "batch %s was not taken (%s); its requests are sent again %s",
            entry.state.batch, entry.state.why,
            "when another batch is over" if others else f"in files of {self._most}, after {self._options.poll:g} s",
        )  # fmt: skip
        if others:
            await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(self._options.poll)
        rows = await asyncio.to_thread(_rows, entry)
        self._placed = {name: other for name, other in self._placed.items() if other is not entry}
        self._gathered |= {row.id: row for row in rows if row.id in self._waiting}
        self._send()

    def _wanted(self, entry: Entry) -> set[str]:
        """Those of its requests whose answer somebody waits for, and waits for from it."""
        mine = (name for name, other in self._placed.items() if other is entry)
        return {name for name in mine if any(not future.done() for future in self._waiting.get(name, ()))}

    def _hand_out(self, entry: Entry, wanted: set[str], answers: dict[str, Answer]) -> None:
        state = entry.state
        lost = [name for name in wanted if name not in answers or not answers[name].good]
        given_up = state.status in _GIVEN_UP
        if lost:
            refused = any(400 <= answers[name].status < 500 for name in lost if name in answers)
            put = ", but for those that can be put otherwise in another batch" * (refused and not given_up)
            single = self._options.fallback == "single" and not (given_up or self._options.run_batch)
            _log.warning(
                "batch %s is %s%s: %d of %d requests have no good answer, and %s",
                state.batch or entry.name, state.status, f" ({state.why})" if state.why else "", len(lost), len(wanted),
                f"are asked for one by one, at the full price{put}" if single else f"are missing{put}",
            )  # fmt: skip
        words = f": {state.why}" if state.why else ""
        nothing = Answer(why=f"batch {state.batch} is {state.status} and has no answer to this request{words}")
        for name in wanted:
            answer = answers.get(name, nothing)
            for future in self._waiting[name]:
                if not future.done():
                    future.set_result(answer._replace(final=given_up))

    def _fail(self, ids: Iterable[str], error: Exception) -> None:
        for name in ids:
            for future in self._waiting.get(name, ()):
                if not future.done():
                    future.set_exception(error)

    def _leave(self) -> None:
        """Watch no batch that nobody waits for."""
        if not self._waiting:
            for entry, task in list(self._watched.items()):
                if (batch := entry.state.batch) and not entry.state.over:
                    _log.warning("batch %s goes on at the service; the next run takes its answers", batch)
                task.cancel()


def _rows(entry: Entry) -> list[Row]:
    with entry.requests.open("rb") as lines:
        return [Row(Row.id_in(line), line) for line in lines]


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min" if seconds < 7200 else (
        f"{seconds / 3600:.1f} h"
    )  # fmt: skip
