"""How many processor threads the thread of a model computes with."""

from __future__ import annotations

import threading
from typing import Any

import torch

SMALL = 10_000_000  # parameters; below, threads wait for each other longer than they compute


def settle_threads(model: Any) -> None:
    """Let the thread that calls this compute alone where its model is a small one on a CPU.

    On a busy machine such a model would else be many times slower: each of its steps waits for the last thread to get
    its turn. What other threads of the program compute with stays as it is.
    """
    if not isinstance(model, torch.nn.Module) or not _is_small(model):
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # for this thread, and for every thread that is yet to begin
    other = threading.Thread(target=torch.set_num_threads, args=(before,), name="tts-threads")
    other.start()  # takes back the latter
    other.join()


def _is_small(model: Any) -> bool:
    return bool(model.device.type == "cpu" and sum(one.numel() for one in model.parameters()) <= SMALL)
