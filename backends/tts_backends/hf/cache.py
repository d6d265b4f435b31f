"""The key-value cache of a batch that a row may join or leave at any step.

Rows are slots; columns are one timeline for all of them. Every row ends at the same column, so a step writes one
column for all, a row of length L occupies the last L columns before `end`, and the width that attention reads is the
length of the longest row. A newcomer's prompt is laid down just before `end`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

_ROOM = 64  # columns free after a move, at least


class KeyValues(NamedTuple):
    """One layer's keys and values: (rows, heads, columns, size)."""

    keys: Tensor
    values: Tensor


class _Layer(CacheLayerMixin):  # type: ignore[no-untyped-call]  # its __init_subclass__ is as transformers wrote it
    """One layer's slots; the timeline tells it where the batch stands."""

    keys: Tensor
    values: Tensor

    is_sliding = False  # windows are cut by the model's mask: every layer keeps every column

    def __init__(self, timeline: Timeline) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as transformers wrote it
        self.timeline = timeline

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Slots are allocated by the timeline."""

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write one column and return what the rows in use may attend to."""
        rows, first, end = self.timeline.rows, self.timeline.first, self.timeline.end
        self.keys[:rows, :, end : end + 1] = key_states
        self.values[:rows, :, end : end + 1] = value_states
        return self.keys[:rows, :, first : end + 1], self.values[:rows, :, first : end + 1]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        return self.timeline.end - self.timeline.first

    def get_max_length(self) -> int:
        return -1

    def get_max_cache_shape(self) -> int:  # its name before transformers 5.14
        return self.get_max_length()


class Timeline(Cache):
    """Slots 0 … rows-1 are in use; columns `first` … `end`-1 hold the longest row."""

    layers: list[_Layer]  # type: ignore[assignment]  # narrower than the base class, which only reads it

    def __init__(self) -> None:
        super().__init__(layers=[])
        self.rows = self.first = self.end = 0

    def join(self, prefixes: Sequence[KeyValues], group: Tensor) -> None:
        """Add `len(group)` rows; row i starts as row `group[i]` of the prefixes, which are padded on the left."""
        width, more = prefixes[0].keys.shape[2], len(group)
        if not self.layers:
            self.layers = [_Layer(self) for _ in prefixes]
        self._make_room(prefixes, width, self.rows + more)
        slots, columns = slice(self.rows, self.rows + more), slice(self.end - width, self.end)
        for layer, prefix in zip(self.layers, prefixes, strict=True):
            layer.keys[slots, :, columns] = prefix.keys[group]
            layer.values[slots, :, columns] = prefix.values[group]
        self.rows += more
        self.first = min(self.first, self.end - width)

    def leave(self, gone: Sequence[int]) -> list[int]:
        """Free slots; returns which old slot each of the remaining rows had, in the order they have now."""
        order = list(range(self.rows))
        left = set(gone)
        stay = self.rows - len(left)
        movers = iter([slot for slot in range(stay, self.rows) if slot not in left])
        for hole in sorted(slot for slot in left if slot < stay):
            order[hole] = next(movers)
        holes = [slot for slot in range(stay) if order[slot] != slot]
        if holes:
            sources, used = [order[slot] for slot in holes], slice(self.first, self.end)
            for layer in self.layers:
                layer.keys[holes, :, used] = layer.keys[sources, :, used]
                layer.values[holes, :, used] = layer.values[sources, :, used]
        self.rows = stay
        return order[:stay]

    def advance(self, longest: int) -> None:
        """A column was written; `longest` is the length of the longest row now."""
        self.end += 1
        self.first = self.end - longest
        if self.end == self.layers[0].keys.shape[2]:
            self._move(self.end - self.first, self.layers[0].keys.shape[0])

    def narrow(self, longest: int) -> None:
        """The longest row may have left: read no more columns than `longest`."""
        self.first = self.end - longest

    def release(self) -> None:
        """Give the memory back; no row is left."""
        self.layers = []
        self.rows = self.first = self.end = 0

    def _make_room(self, prefixes: Sequence[KeyValues], width: int, rows: int) -> None:
        if not self.rows:
            self.first = self.end = 0
        slots = 1 << (rows - 1).bit_length()
        if not self.layers[0].is_initialized:
            for layer, (keys, values) in zip(self.layers, prefixes, strict=True):
                layer.keys = keys.new_empty((slots, keys.shape[1], 0, keys.shape[3]))
                layer.values = values.new_empty((slots, values.shape[1], 0, values.shape[3]))
                layer.is_initialized = True
        have, columns = self.layers[0].keys.shape[0], self.layers[0].keys.shape[2]
        if not self.rows and width < columns and rows <= have:
            self.first = self.end = width
        elif width > self.end or rows > have:
            self._move(max(width, self.end - self.first), max(slots, have))

    def _move(self, end: int, slots: int) -> None:
        """Lay the used columns down again so that they end at `end`, with half as much room after them."""
        used = slice(self.first, self.end)
        columns = end + max(_ROOM, end // 2)
        begin = end - (self.end - self.first)
        for layer in self.layers:
            layer.keys = _laid(layer.keys[: self.rows, :, used], slots, columns, begin)
            layer.values = _laid(layer.values[: self.rows, :, used], slots, columns, begin)
        self.first, self.end = begin, end


def _laid(old: Tensor, slots: int, columns: int, begin: int) -> Tensor:
    # Masked columns are read and multiplied by zero, so they must not hold NaN.
    fresh = torch.zeros((slots, old.shape[1], columns, old.shape[3]), dtype=old.dtype, device=old.device)
    fresh[: old.shape[0], :, begin : begin + old.shape[2]] = old
    return fresh
