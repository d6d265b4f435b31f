from __future__ import annotations

import pytest
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler

from tts import ConfigError
from tts_trainers.hybrid.sampler import AlternatingSampler

OBJECTIVES = [0] * 40 + [1] * 24
LENGTHS = [10 + i % 7 for i in range(40)] + [100 + i % 9 for i in range(24)]


def _batches(batch_size: int, seed: int = 0) -> list[list[int]]:
    rows = list(AlternatingSampler(OBJECTIVES, LENGTHS, batch_size=batch_size, seed=seed))
    return [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]


def test_every_batch_has_one_objective_and_they_take_turns() -> None:
    assert [{OBJECTIVES[row] for row in batch} for batch in _batches(8)] == [{0}, {1}] * 5


def test_the_longer_objective_is_seen_once_and_the_shorter_again() -> None:
    sampler = AlternatingSampler(OBJECTIVES, LENGTHS, batch_size=8, seed=0)
    rows = list(sampler)
    assert len(rows) == len(sampler) == 80
    assert sorted(row for row in rows if OBJECTIVES[row] == 0) == list(range(40))
    again = [row for row in rows if OBJECTIVES[row] == 1]
    assert sorted(again[:24]) == list(range(40, 64))
    assert len(set(again[24:])) == 16


def test_one_objective_alone() -> None:
    assert sorted(AlternatingSampler([0] * 8, [1] * 8, batch_size=4, seed=0)) == list(range(8))


def test_less_than_a_batch_is_refused() -> None:
    with pytest.raises(ConfigError, match="has 24 rows, less than a batch of 32"):
        AlternatingSampler(OBJECTIVES, LENGTHS, batch_size=32, seed=0)


def test_seeded_and_other_in_each_epoch() -> None:
    one, two = (AlternatingSampler(OBJECTIVES, LENGTHS, batch_size=8, seed=1) for _ in range(2))
    first = list(one)
    one.set_epoch(1)
    second = list(one)
    assert first == list(two)
    assert first != second
    two.set_epoch(1)
    assert list(two) == second


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_an_objective_near_lengths_and_no_row(ranks: int) -> None:
    sampler = AlternatingSampler(OBJECTIVES, LENGTHS, batch_size=2 * ranks, seed=0)
    of_rank = [
        list(BatchSamplerShard(BatchSampler(sampler, 2, drop_last=True), num_processes=ranks, process_index=rank))
        for rank in range(ranks)
    ]
    assert len({len(batches) for batches in of_rank}) == 1
    for step in zip(*of_rank, strict=True):
        rows = [row for batch in step for row in batch]
        assert len({OBJECTIVES[row] for row in rows}) == 1
        assert len(set(rows)) == len(rows)
        assert max(LENGTHS[row] for row in rows) - min(LENGTHS[row] for row in rows) <= 8


@given(batch_size=st.integers(1, 12), seed=st.integers(0, 1000))
def test_lengths_in_a_batch_are_near(batch_size: int, seed: int) -> None:
    spread = [max(LENGTHS[r] for r in batch) - min(LENGTHS[r] for r in batch) for batch in _batches(batch_size, seed)]
    assert sum(spread) / len(spread) <= 7
