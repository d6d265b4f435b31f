"""Continuous batching without a timer: whoever waits when the model's thread ends a step joins the next."""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from collections import deque

import torch

from tts import BackendError
from tts_backends.foreign import backend_error
from tts_backends.hf.decode import Decoder, Group, Job, Pick, Row
from tts_backends.processes.at_work import at_work

_log = logging.getLogger("tts.hf")


class Batcher:
    """Feeds a decoder from a queue on a daemon thread of its own; `limit` is the most rows at once.

    However the thread ends, every job that has been submitted hears of it, and so does who submits another.
    """

    def __init__(self, decoder: Decoder, limit: int) -> None:
        self.limit = limit
        self._decoder: Decoder | None = decoder
        self._arriving: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._waiting: deque[Group] = deque()
        self._live: list[Row] = []  # admitted and not finished: seated in the decoder or about to be
        self._jobs: weakref.WeakSet[Job] = weakref.WeakSet()  # submitted, as long as somebody waits for them
        self._closing = threading.Lock()
        self._closed = False
        self._death: BackendError | None = None  # why the thread has ended unasked
        self._thread = threading.Thread(target=self._run, name="tts-hf", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; raises `BackendError` once the batcher is stopped."""
        with self._closing:
            if self._closed:
                raise self._death or BackendError("this hf backend is closed")
            if not self._thread.is_alive():
                raise BackendError("the hf backend was loaded before this process was forked; load it in the new one")
            self._jobs.add(job)
            self._arriving.put(job)

    async def at_work(self) -> bool | None:
        """Whether its thread takes processor time; `None` where the system does not tell."""
        return await at_work(self._thread)

    def stop(self) -> None:
        """End the thread after the step it is in and let the model go; what is unfinished fails."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._arriving.put(None)
        if threading.current_thread() is not self._thread:  # a finalizer runs on any thread
            self._thread.join()

    def _run(self) -> None:
        decoder = self._decoder
        assert decoder is not None
        try:
            self._serve(decoder)
        except BaseException as error:  # what came after a failure has failed, too
            _log.exception("the thread of the hf backend has ended")
            self._death = backend_error("the thread of the hf backend", error)
        self._fail_all(self._death or BackendError("the hf backend was closed"))
        self._decoder = None
        decoder.reset()

    def _serve(self, decoder: Decoder) -> None:
        with torch.inference_mode():
            while self._receive():
                try:
                    self._drop_cancelled(decoder)
                    self._admit(decoder)
                    if decoder.rows:
                        self._finish(decoder.step())
                    for row in decoder.rows:
                        row.job.tell(row)
                except BaseException as error:  # a model may raise anything; its requests must hear of it
                    self._recover(decoder, error)

    def _receive(self) -> bool:
        """Take in what has arrived, waiting only where there is nothing else to do; False says stop."""
        idle = not self._live and not self._waiting
        while idle or not self._arriving.empty():
            job = self._arriving.get()
            if job is None:
                return False
            self._waiting.append(Group(job.prompt.ids, list(job.rows)))
            idle = False
        return True

    def _drop_cancelled(self, decoder: Decoder) -> None:
        if any(row.job.cancelled for row in self._live):
            for row in decoder.drop(lambda row: row.job.cancelled):
                self._live.remove(row)
                row.job.close_rows(1)
        for group in self._waiting:
            if group.rows[0].job.cancelled:
                group.rows[0].job.close_rows(len(group.rows))
                group.rows = []
        while self._waiting and not self._waiting[0].rows:
            self._waiting.popleft()
        if any(not group.rows for group in self._waiting):
            self._waiting = deque(group for group in self._waiting if group.rows)

    def _admit(self, decoder: Decoder) -> None:
        picks = []
        while self._waiting and len(self._live) < self.limit:
            group, free = self._waiting[0], self.limit - len(self._live)
            picks.append(Pick(group, group.rows[:free]))
            self._live += group.rows[:free]
            group.rows = group.rows[free:]
            if not group.rows:
                self._waiting.popleft()
        if picks:
            self._finish(decoder.join(picks))

    def _finish(self, rows: list[Row]) -> None:
        for row in rows:
            self._live.remove(row)
            row.job.give(row)

    def _recover(self, decoder: Decoder, error: BaseException) -> None:
        decoder.reset()
        self._finish([row for row in self._live if row.finished])
        if not is_out_of_memory(error) or len(self._live) <= 1:
            self._fail_live(backend_error("the model", error))
            return
        error.__traceback__ = None  # its frames hold tensors
        self.limit = max(1, min(self.limit, len(self._live)) // 2)
        _log.warning("out of memory with %d rows; going on with at most %d", len(self._live), self.limit)
        self._requeue()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _requeue(self) -> None:
        """Put every live row back in front, with what it has generated as part of its prompt."""
        groups: dict[int, Group] = {}
        for row in self._live:
            shared = id(row) if row.tokens else id(row.job)  # untouched rows of a job still share a prefill
            groups.setdefault(shared, Group(row.ids, [])).rows.append(row)
        for group in self._waiting:
            group.prefix = None
        self._waiting.extendleft(reversed(groups.values()))
        self._live = []

    def _fail_live(self, error: BackendError) -> None:
        jobs = {row.job for row in self._live}
        self._live = []
        for group in self._waiting:
            if group.rows[0].job in jobs:
                group.rows = []
        self._waiting = deque(group for group in self._waiting if group.rows)
        for job in jobs:
            job.fail(error)

    def _fail_all(self, error: BackendError) -> None:
        with self._closing:
            self._closed = True
        self._live, self._waiting = [], deque()
        for job in [job for job in self._jobs if job.open]:
            job.fail(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a model ran out of memory."""
    # torch has a class for accelerators; its CPU and MPS allocators raise plain RuntimeErrors.
    told = isinstance(error, RuntimeError) and any(
        sign in str(error) for sign in ("can't allocate memory", "not enough memory", "out of memory")
    )
    return told or isinstance(error, torch.OutOfMemoryError | MemoryError)
