"""A small model on a CPU computes on one thread, and changes nothing for the rest of the program."""

from __future__ import annotations

import threading

import pytest
import torch

from tts_backends.hf import threads
from tts_backends.hf.threads import settle_threads


class OfSize(torch.nn.Module):
    def __init__(self, parameters: int, device: str = "cpu") -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(parameters, device="meta"))
        self.device = torch.device(device)


def seen_by_its_thread(model: torch.nn.Module) -> int:
    seen: list[int] = []

    def work() -> None:
        settle_threads(model)
        seen.append(torch.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return seen[0]


@pytest.fixture(autouse=True)
def three_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_a_small_model_computes_alone() -> None:
    assert seen_by_its_thread(OfSize(1000)) == 1


def test_other_threads_keep_theirs() -> None:
    seen_by_its_thread(OfSize(1000))
    assert torch.get_num_threads() == 3
    fresh: list[int] = []
    thread = threading.Thread(target=lambda: fresh.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert fresh == [3]


@pytest.mark.parametrize("model", [OfSize(threads.SMALL + 1), OfSize(1000, "cuda")], ids=["large", "on a GPU"])
def test_a_large_model_or_one_elsewhere_keeps_all(model: torch.nn.Module) -> None:
    assert seen_by_its_thread(model) == 3
