"""The decode loop: one forward pass of the model per step for every row that is there."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from tts import BackendError, Request
from tts_backends.checkpoints.chat import Prompt
from tts_backends.hf.cache import KeyValues, Timeline
from tts_backends.hf.sampling import Controls, draw
from tts_backends.hf.threads import settle_threads

_PREFILL_TOKENS = 8192  # padded prompt tokens in one forward pass, where that is more than one prompt


class Job:
    """One request on its way through the batch; made on the event loop, worked on by the model's thread."""

    def __init__(self, request: Request, prompt: Prompt, limit: int) -> None:
        self.request, self.prompt, self.limit = request, prompt, limit
        self.rows = [Row(self, index, seed) for index, seed in enumerate(request.seeds)]
        self.open = len(self.rows)  # rows that the model's thread still has
        self.cancelled = False
        self.arrivals: asyncio.Queue[Row | BackendError] = asyncio.Queue()
        self.heard: Callable[[Row], None] | None = None  # on the event loop: a row has more tokens
        self.done = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def tell(self, row: Row) -> None:
        """From the model's thread: a row has more tokens, and will have others."""
        if self.heard is not None:
            self._post(self.heard, row)

    def give(self, row: Row) -> None:
        """From the model's thread: a row is finished."""
        self._post(self.arrivals.put_nowait, row)
        self.close_rows(1)

    def fail(self, error: BackendError) -> None:
        """From the model's thread: no more rows will come."""
        self._post(self.arrivals.put_nowait, error)
        self.close_rows(self.open)

    def close_rows(self, count: int) -> None:
        """From the model's thread: it has let go of rows."""
        self.open -= count
        if not self.open:
            self._post(self.done.set)

    def _post(self, call: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *args)


@dataclass(slots=True, eq=False)
class Row:
    """One completion in the making; `text` is set where a stop string cut it.

    `seconds` is its share of the model's time: that of each step, over the rows of the step.
    """

    job: Job
    index: int
    seed: int
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finish_reason: Literal["stop", "length"] = "length"
    text: str | None = None
    seconds: float = 0.0
    finished: bool = False

    @property
    def ids(self) -> list[int]:
        """Prompt and everything generated."""
        return self.job.prompt.ids + self.tokens


@dataclass(slots=True, eq=False)
class Group:
    """Rows that start from the same tokens and share their prefill, which is kept while some of them wait."""

    ids: list[int]
    rows: list[Row]
    prefix: Prefill | None = None


class Prefill(NamedTuple):
    """The model's state after prompts that were padded on the left: layers of (prompts, …), logits (prompts, words)."""

    layers: list[KeyValues]
    logits: Tensor


class Pick(NamedTuple):
    """Rows of a group that join the batch now."""

    group: Group
    rows: list[Row]


class Decoder:
    """The running batch; every method is called on the model's thread."""

    rows: list[Row]
    _longest: int  # tokens in the cache, of the longest row
    _lengths: Tensor  # tokens in the cache, per row
    _padding: Tensor  # columns of the longest row that a row does not have
    _steps: Tensor  # tokens generated, per row
    _last: Tensor  # (rows, 1): the token that the next step reads
    _controls: Controls
    _since: float  # when the work on the next tokens began

    def __init__(self, model: Any, end_tokens: frozenset[int], decode: Callable[[Sequence[int]], str]) -> None:
        self._model, self._ends, self._decode = model, end_tokens, decode
        self._device = model.device
        takes = inspect.signature(model.forward).parameters
        self._takes_positions, self._takes_keep = "position_ids" in takes, "logits_to_keep" in takes
        # transformers 5.24 renamed it; an older release, or a model's own code, has the older name only.
        self._cache_argument = "cache" if "cache" in takes else "past_key_values"
        self._settled = False
        self.reset()

    def reset(self) -> None:
        """Forget every row and give the cache back."""
        self.rows = []
        self._timeline = Timeline()

    def join(self, picks: Sequence[Pick]) -> list[Row]:
        """Prefill what is new, add the rows, draw their next tokens; returns those that are finished already."""
        if not self._settled:  # here, for this is the model's thread
            settle_threads(self._model)
            self._settled = True
        self._since = time.perf_counter()
        finished = []
        fresh = sorted((p for p in picks if p.group.prefix is None), key=lambda p: len(p.group.ids))
        for pick in picks:
            if pick.group.prefix is not None:
                finished += self._seat(pick.group.prefix, [pick])
        for chunk in _chunks(fresh):
            prefill = self._prefill([p.group.ids for p in chunk])
            for place, (group, _) in enumerate(chunk):
                if group.rows:
                    group.prefix = _one(prefill, place, len(group.ids))
            finished += self._seat(prefill, chunk)
        return finished

    def step(self) -> list[Row]:
        """One more token for every row; returns those that are finished."""
        self._since = time.perf_counter()
        mask = torch.arange(self._longest + 1, device=self._device) >= self._padding[:, None]
        logits = self._forward(self._last, mask, self._lengths[:, None], self._timeline)
        self._longest += 1
        self._timeline.advance(self._longest)
        drawn = draw(logits, self._controls, self._steps)
        gone = self._append(self.rows, drawn, logits)
        if gone:
            finished = [self.rows[slot] for slot in gone]
            self._take_out(gone)
            return finished
        self._last = drawn[:, None]
        self._lengths += 1
        self._steps += 1
        return []

    def drop(self, unwanted: Callable[[Row], bool]) -> list[Row]:
        """Take rows out of the batch."""
        gone = [slot for slot, row in enumerate(self.rows) if unwanted(row)]
        dropped = [self.rows[slot] for slot in gone]
        if gone:
            self._take_out(gone)
        return dropped

    def _prefill(self, prompts: list[list[int]]) -> Prefill:
        width = max(map(len, prompts))
        padding = torch.tensor([width - len(ids) for ids in prompts], device=self._device)[:, None]
        ids = torch.tensor([[0] * (width - len(ids)) + ids for ids in prompts], device=self._device)
        columns = torch.arange(width, device=self._device)
        cache = Cache(layer_class_to_replicate=DynamicLayer)
        logits = self._forward(ids, columns >= padding, (columns - padding).clamp_(min=0), cache)
        if bool(logits.isnan().any()):
            raise BackendError("the model computes NaN; a wider dtype may help, e.g. @dtype=float32")
        filled = cast("list[DynamicLayer]", cache.layers)
        return Prefill([KeyValues(cast("Tensor", x.keys), cast("Tensor", x.values)) for x in filled], logits)

    def _forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> Tensor:
        extra: dict[str, Any] = {self._cache_argument: cache}
        if self._takes_positions:
            extra["position_ids"] = positions
        if self._takes_keep:
            extra["logits_to_keep"] = 1
        # Some models compute with the mask, so it goes as integers like the tokenizer's.
        output = self._model(input_ids=ids, attention_mask=mask.long(), use_cache=True, return_dict=True, **extra)
        logits: Tensor = output.logits[:, -1].float()
        return logits

    def _seat(self, prefill: Prefill, picks: Sequence[Pick]) -> list[Row]:
        rows = [row for pick in picks for row in pick.rows]
        group = [place for place, pick in enumerate(picks) for _ in pick.rows]
        logits = prefill.logits[torch.tensor(group, device=self._device)]
        steps = torch.tensor([len(row.tokens) for row in rows], device=self._device)
        drawn = draw(logits, _controls(rows, self._device), steps)
        gone = set(self._append(rows, drawn, logits))
        stay = [place for place in range(len(rows)) if place not in gone]
        if stay:
            self._timeline.join(prefill.layers, torch.tensor([group[i] for i in stay], device=self._device))
            self.rows += [rows[i] for i in stay]
            self._arrange()
        return [rows[i] for i in sorted(gone)]

    def _take_out(self, gone: Sequence[int]) -> None:
        self.rows = [self.rows[slot] for slot in self._timeline.leave(gone)]
        if self.rows:
            self._arrange()
        else:
            self._timeline.release()

    def _arrange(self) -> None:
        """Make the step's tensors for the rows that are there now."""
        lengths = [len(row.job.prompt.ids) + len(row.tokens) - 1 for row in self.rows]  # the last token is not read yet
        self._longest = max(lengths)
        self._timeline.narrow(self._longest)
        self._lengths = torch.tensor(lengths, device=self._device)
        self._padding = self._longest - self._lengths
        self._steps = torch.tensor([len(row.tokens) for row in self.rows], device=self._device)
        self._last = torch.tensor([row.tokens[-1:] for row in self.rows], device=self._device)
        self._controls = _controls(self.rows, self._device)

    def _append(self, rows: Sequence[Row], drawn: Tensor, logits: Tensor) -> list[int]:
        """Write each row's token down; returns the places of rows that end with it."""
        if any(row.job.request.sampling.logprobs for row in rows):
            spread = logits.logsumexp(-1)
            gained = (logits.gather(-1, drawn[:, None])[:, 0] - spread).tolist()
            for row, value in zip(rows, gained, strict=True):
                row.logprob += value
        gone, tokens = [], drawn.tolist()  # here the device is waited for
        share, self._since = (time.perf_counter() - self._since) / len(rows), time.perf_counter()
        for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
            row.seconds += share
            row.tokens.append(token)
            if token in self._ends or (row.job.request.sampling.stop and self._cut(row)):
                row.finish_reason, row.finished = "stop", True
            elif len(row.tokens) >= row.job.limit:
                row.finished = True
            if row.finished:
                gone.append(place)
        return gone

    def _cut(self, row: Row) -> bool:
        """Whether a stop string has appeared; if so, set the text before the first one."""
        stops = row.job.request.sampling.stop
        # A token writes a byte at least, so no stop string is longer than this; a few more keep its left edge intact.
        window = row.tokens[-(max(len(stop.encode()) for stop in stops) + 4) :]
        if not any(stop in self._decode(window) for stop in stops):
            return False
        text = self._decode(row.tokens)
        found = [place for stop in stops if (place := text.find(stop)) >= 0]
        if found:
            row.text = text[: min(found)]
        return bool(found)


def _controls(rows: Sequence[Row], device: torch.device) -> Controls:
    return Controls.of([row.seed for row in rows], [row.job.request.sampling for row in rows], device)


def _chunks(picks: Sequence[Pick]) -> list[list[Pick]]:
    """Prompts of similar length together; `picks` come sorted by length."""
    chunks: list[list[Pick]] = []
    for pick in picks:
        if chunks and (len(chunks[-1]) + 1) * len(pick.group.ids) <= _PREFILL_TOKENS:
            chunks[-1].append(pick)
        else:
            chunks.append([pick])
    return chunks


def _one(prefill: Prefill, place: int, length: int) -> Prefill:
    """One prompt of a prefill, without its padding, in memory of its own."""
    own = slice(place, place + 1)
    layers = [KeyValues(k[own, :, -length:].clone(), v[own, :, -length:].clone()) for k, v in prefill.layers]
    return Prefill(layers, prefill.logits[own].clone())
