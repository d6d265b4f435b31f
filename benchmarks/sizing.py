"""The arithmetic of `docs/scaling.md`: tokens, GPU hours, days and store size of a large sampling step.

    python benchmarks/sizing.py [--problems 368000] [--k 10] [--tokens 16384] [--speed TOKENS_PER_SECOND_PER_GPU]

The speed of a GPU is a roofline, not a measurement, unless `--speed` gives one: while decoding, each step reads the
weights once and the keys and values of every sequence in flight, and memory bandwidth bounds it. As many sequences are
in flight as their keys and values fit, at half of their final length on average. `--efficiency` is the share of the
bandwidth that an engine gets. Store size and the driver's rate are measured here, with rows as long as asked for.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import tts

GIB = 1e9
SPARE = 0.1  # of GPU memory: activations, graphs, fragmentation


class Model(NamedTuple):
    """A dense transformer with grouped-query attention."""

    name: str
    parameters: float
    layers: int
    kv_heads: int
    head: int


class GPU(NamedTuple):
    """Memory in bytes, bandwidth in bytes per second (data sheets)."""

    name: str
    memory: float
    bandwidth: float


class Setup(NamedTuple):
    """How one copy of the model is served; bytes per weight and per element of keys and values."""

    gpu: GPU
    gpus: int
    weight: int
    cache: int


class Speed(NamedTuple):
    in_flight: int  # sequences of one copy
    per_gpu: float  # tokens per second


TEACHER = Model("QwQ-32B", 32.8e9, 64, 8, 128)  # its config.json
H100 = GPU("H100 80 GB", 80e9, 3.35e12)
H200 = GPU("H200 141 GB", 141e9, 4.8e12)
SETUPS = [Setup(H100, 2, 2, 2), Setup(H100, 1, 1, 1), Setup(H200, 1, 2, 2), Setup(H200, 1, 1, 1)]


def roofline(model: Model, setup: Setup, tokens: int, efficiency: float) -> Speed:
    weights = model.parameters * setup.weight
    per_token = 2 * model.layers * model.kv_heads * model.head * setup.cache
    room = setup.gpus * setup.gpu.memory * (1 - SPARE) - weights
    in_flight = int(room / (per_token * tokens / 2))
    read = weights + in_flight * per_token * tokens / 2
    seconds = read / (setup.gpus * setup.gpu.bandwidth * efficiency)
    return Speed(in_flight, in_flight / seconds / setup.gpus)


class Stored(NamedTuple):
    size: float  # bytes of file per completion
    rate: float  # completions per second of one core


def measure_store(tokens: int, count: int) -> Stored:
    """Write completions of so many tokens, four characters each, to a real store; CPU time of this process."""
    words = [f"{'abcdefghij'[i % 10] * (2 + i % 4)} " for i in range(1000)]
    text = "".join(random.Random(0).choices(words, k=tokens * 4))[: tokens * 4]
    completions = [
        tts.Completion(index=i, text=text, thinking=text[: tokens * 3], summary=text[tokens * 3 :])
        for i in range(count)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.db"
        started = time.process_time()
        with tts.Store(path) as store:
            for completion in completions:
                store.put_completion("0" * 32, completion.index, completion)
        seconds = time.process_time() - started
        return Stored(path.stat().st_size / count, count / seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=368_000)
    parser.add_argument("--k", type=int, default=10, help="generations per problem")
    parser.add_argument("--tokens", type=int, default=16_384, help="new tokens of each; the limit is the upper bound")
    parser.add_argument("--efficiency", type=float, default=0.6)
    parser.add_argument("--speed", type=float, help="tokens per second of one GPU, where you have measured it")
    asked = parser.parse_args()
    completions = asked.problems * asked.k
    tokens = completions * asked.tokens
    print(f"{asked.problems:,} problems × {asked.k} generations × {asked.tokens:,} tokens")
    print(f"= {completions:,} completions, {tokens / 1e9:,.1f} billion tokens\n")
    columns = [
        "in flight per copy",
        "tokens/s per GPU",
        "GPU hours",
        "days on 64",
        "days on 256",
        "completions/s of 256",
    ]
    print(f"| QwQ-32B on | {' | '.join(columns)} |")
    print("|---|---|---|---|---|---|---|")
    for setup in SETUPS:
        found = roofline(TEACHER, setup, asked.tokens, asked.efficiency)
        speed = asked.speed or found.per_gpu
        hours = tokens / speed / 3600
        kind = f"{setup.gpus} × {setup.gpu.name}, {8 * setup.weight} bit"
        row = [f"{found.in_flight}", f"{speed:,.0f}", f"{hours:,.0f}"]
        row += [f"{hours / gpus / 24:.1f}" for gpus in (64, 256)] + [f"{256 * speed / asked.tokens:.0f}"]
        print(f"| {kind} | {' | '.join(row)} |")
    stored = measure_store(asked.tokens, 200)
    print(f"\nstore: {stored.size / 1e3:,.1f} kB a completion, {stored.size * completions / GIB:,.0f} GB in all;")
    print(f"{stored.rate:,.0f} completions/s of one core can be written")


if __name__ == "__main__":
    main()
