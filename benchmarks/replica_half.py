"""How much slower bfloat16 is than float32 on this machine, for matrices of the replica's size.

python benchmarks/replica_half.py
"""

from __future__ import annotations

import time

import torch

from tts_trainers.runtime.half import half_is_fast

ROUNDS = 20


def seconds(kind: torch.dtype) -> float:
    """CPU seconds of some products of a micro-batch of 16 rows of 600 tokens with a feed-forward layer."""
    batch, layer = torch.randn(16 * 600, 128).to(kind), torch.randn(128, 384).to(kind)
    batch @ layer
    began = time.process_time()
    for _ in range(ROUNDS):
        batch @ layer
    return time.process_time() - began


def main() -> None:
    torch.set_num_threads(1)
    full, half = seconds(torch.float32), seconds(torch.bfloat16)
    print(f"instructions for bfloat16: {'yes' if half_is_fast() else 'no'}; {ROUNDS} products on one core")
    print(f"float32 {full:.2f} s, bfloat16 {half:.2f} s: {half / full:.1f} times as long")


if __name__ == "__main__":
    main()
