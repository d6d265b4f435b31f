"""Batches of one objective whose rows are of similar length.

A direct row is short and a refine row long, so mixing them in one padded batch wastes most of it; and the embedded
model is trained on CPU, where packing is many times slower than padding (attention runs over the whole pack). Here
every micro-batch has one objective, and the objectives alternate, so an optimiser step of an even number of
micro-batches sees both in the same numbers of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

from tts import ConfigError

LENGTH_WINDOW = 16


class AlternatingSampler(Sampler[int]):
    """Row indices such that each run of `batch_size` has one objective and similar lengths.

    `batch_size` is that of all processes together: accelerate hands each of them its share of a run, so in every
    micro-batch all ranks have the same objective, near lengths and different rows.

    Objectives take turns for as long as the longer one lasts; the shorter one starts again in a new order, so that
    every optimiser step trains both. Rows that do not fill a batch are left out of the pass, other ones in each. An
    objective with less than one batch is refused. The order is decided by seed and epoch alone, so a run that is
    resumed in the middle of an epoch skips exactly the rows that it has seen.

    `length_window` is how many batches are sorted by length together: more pad less and shuffle less. Small models
    trained from nothing on short rows learn in fewer steps with 1, which sorts nothing.
    """

    def __init__(
        self,
        objectives: Sequence[int],
        lengths: Sequence[int],
        *,
        batch_size: int,
        seed: int,
        length_window: int = LENGTH_WINDOW,
    ) -> None:
        rows: dict[int, list[int]] = {}
        for row, objective in enumerate(objectives):
            rows.setdefault(objective, []).append(row)
        self._rows = [of_one for _, of_one in sorted(rows.items())]
        if (shortest := min(map(len, self._rows), default=0)) and shortest < batch_size:
            raise ConfigError(
                f"an objective has {shortest} rows, less than a batch of {batch_size} (all processes together); "
                "give more rows or lower the batch size"
            )
        self._turns = max((len(of_one) // batch_size for of_one in self._rows), default=0)
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._window = batch_size * length_window
        self._epoch = 0

    def __len__(self) -> int:
        return self._turns * len(self._rows) * self._batch_size

    def set_epoch(self, epoch: int) -> None:
        """The epoch decides the order; the trainer calls this."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        streams = [self._stream(rows, generator) for rows in self._rows]
        for _ in range(self._turns):
            for stream in streams:
                yield from next(stream)

    def _stream(self, rows: Sequence[int], generator: torch.Generator) -> Iterator[list[int]]:
        while True:
            yield from self._batches(rows, generator)

    def _batches(self, rows: Sequence[int], generator: torch.Generator) -> list[list[int]]:
        shuffled = [rows[i] for i in torch.randperm(len(rows), generator=generator).tolist()]
        size, window = self._batch_size, self._window
        batches: list[list[int]] = []
        for start in range(0, len(shuffled), window):
            near = shuffled[start : start + window]
            if window > size:
                near.sort(key=lambda row: self._lengths[row])
            batches += [near[i : i + size] for i in range(0, len(near) - size + 1, size)]
        # Lengths rise within a window; the order of batches must not.
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
