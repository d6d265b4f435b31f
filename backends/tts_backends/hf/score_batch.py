"""Scoring conversations of similar length together: one thread runs the model on whatever waits when it is free."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any, NamedTuple

import torch

from tts import BackendError
from tts_backends.foreign import backend_error
from tts_backends.hf.batch import is_out_of_memory
from tts_backends.hf.threads import settle_threads
from tts_backends.processes.at_work import at_work

_log = logging.getLogger("tts.hf")
_OVERHEAD = 128  # what starting a batch costs, in tokens: so much padding is accepted rather than one batch more


class Item(NamedTuple):
    """One conversation, where its score goes, and where its response starts."""

    ids: list[int]
    score: Future[float]
    start: int = 0


Read = Callable[[torch.Tensor, Sequence[Item]], list[float]]


class LengthBatcher:
    """Scores conversations on a daemon thread of its own; a batch has at most `rows` of them and `tokens` tokens.

    `read` gets the model's logits of a batch, padded on the right, with its conversations, and says their scores.
    However the thread ends, every conversation that has been submitted hears of it, and so does who submits another.
    """

    def __init__(self, model: Any, rows: int, tokens: int, read: Read) -> None:
        self._model, self._rows, self._tokens, self._read = model, rows, tokens, read
        config = model.config.get_text_config()
        config.use_cache = False
        own = config.pad_token_id
        self._pad: int | None = own if own is not None and own >= 0 else None
        self._arriving: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._scores: weakref.WeakSet[Future[float]] = weakref.WeakSet()  # as long as somebody waits for them
        self._closing = threading.Lock()
        self._closed = False
        self._death: BackendError | None = None  # why the thread has ended unasked
        self._thread = threading.Thread(target=self._run, name="tts-hf-reward", daemon=True)
        self._thread.start()

    def submit(self, ids: list[int], start: int = 0) -> Future[float]:
        """Queue a conversation; raises `BackendError` once the batcher is stopped."""
        item = Item(ids, Future(), start)
        with self._closing:
            if self._closed:
                raise self._death or BackendError("this scorer is closed")
            if not self._thread.is_alive():
                raise BackendError("the scorer was loaded before this process was forked; load it in the new one")
            self._scores.add(item.score)
            self._arriving.put(item)
        return item.score

    async def at_work(self) -> bool | None:
        """Whether its thread takes processor time; `None` where the system does not tell."""
        return await at_work(self._thread)

    def stop(self) -> None:
        """End the thread after what it has taken up and let the model go; what still waits fails."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._arriving.put(None)
        if threading.current_thread() is not self._thread:  # a finalizer runs on any thread
            self._thread.join()

    def _run(self) -> None:
        try:
            settle_threads(self._model)
            with torch.inference_mode():
                while (items := self._take()) is not None:
                    for batch in batches(items, self._rows, self._tokens):
                        self._score([item for item in batch if item.score.set_running_or_notify_cancel()])
        except BaseException as error:
            _log.exception("the thread of a scorer has ended")
            self._death = backend_error("the scorer's thread", error)
        with self._closing:
            self._closed = True
        _fail(list(self._scores), self._death or BackendError("the scorer was closed"))
        self._model = None

    def _take(self) -> list[Item] | None:
        """Everything that waits, once there is something; `None` says stop."""
        items: list[Item] = []
        while not items or not self._arriving.empty():
            item = self._arriving.get()
            if item is None:
                return None
            items.append(item)
        return items

    def _score(self, batch: list[Item]) -> None:
        if not batch:
            return
        try:
            values = self._forward(batch)
            if len(values) != len(batch):
                raise BackendError(f"the scoring model gave {len(values)} scores for {len(batch)} conversations")
        except BaseException as error:  # a model may raise anything; its requests must hear of it
            if is_out_of_memory(error) and len(batch) > 1:
                error.__traceback__ = None  # its frames hold tensors
                half = len(batch) // 2
                self._tokens = min(self._tokens, half * len(batch[0].ids))
                self._score(batch[:half])
                self._score(batch[half:])
                return
            _fail([item.score for item in batch], backend_error("the scoring model", error))
            return
        for item, value in zip(batch, values, strict=True):
            item.score.set_result(value)

    def _forward(self, batch: Sequence[Item]) -> list[float]:
        longest = max(len(item.ids) for item in batch)
        ids = torch.full((len(batch), longest), self._padding([item.ids for item in batch]))
        mask = torch.zeros_like(ids)
        for row, item in enumerate(batch):
            ids[row, : len(item.ids)] = torch.tensor(item.ids)
            mask[row, : len(item.ids)] = 1
        device = self._model.device
        return self._read(self._model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits, batch)

    def _padding(self, batch: Sequence[list[int]]) -> int:
        """The model's padding token; for a model without one, a token that no conversation of the batch contains.

        The head reads the right-most token that is not padding, so the end-of-text token will not do: it may be there.
        """
        if self._pad is not None:
            return self._pad
        used = {token for ids in batch for token in ids}
        free = next(token for token in range(self._model.get_input_embeddings().num_embeddings) if token not in used)
        self._model.config.get_text_config().pad_token_id = free
        return free


def batches(items: Sequence[Item], rows: int, tokens: int) -> list[list[Item]]:
    """Longest first, split where the tokens of all batches, padding and overhead included, are fewest."""
    ordered = sorted(items, key=lambda one: len(one.ids), reverse=True)
    costs, starts = [0], [0]  # of the best split of the first items: what it costs, and where its last batch starts
    for end in range(1, len(ordered) + 1):
        choices = []
        for start in range(end - 1, max(end - rows, 0) - 1, -1):
            padded = (end - start) * len(ordered[start].ids)
            if padded > tokens and end - start > 1:
                break
            choices.append((costs[start] + padded, start))
        cost, start = min(choices)
        costs.append(cost + _OVERHEAD)
        starts.append(start)
    found: list[list[Item]] = []
    end = len(ordered)
    while end:
        found.append(ordered[starts[end] : end])
        end = starts[end]
    return found[::-1]


def _fail(scores: Sequence[Future[float]], error: BackendError) -> None:
    for score in scores:
        with contextlib.suppress(InvalidStateError):  # it has its score, or nobody wants it
            score.set_exception(error)
