"""What a training step of the replica's main size costs with torch's attention and with ours, on one core.

    python benchmarks/replica_attention.py [--rounds 5]

Causal attention alone, forward and backward in bfloat16, 16 rows of 2 heads of 64; then a whole micro-batch of 16
refine rows of 600 tokens through a model of the recipe's shape, under torch's kernel with the mask of a padded batch
(as `Trainer` gives it), without the mask, and under attention in blocks. Interleaved rounds, medians of CPU seconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import LlamaConfig, LlamaForCausalLM

from tts_trainers.recipe import load_recipe
from tts_trainers.replica.attention import attend_in_blocks, causal_blocks
from tts_trainers.replica.recipe import ReplicaRecipe

ROWS = 16


def seconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def medians(works: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """CPU seconds of each; the first round is not counted."""
    spent = [{name: seconds(work) for name, work in works.items()} for _ in range(rounds + 1)]
    return {name: statistics.median(one[name] for one in spent[1:]) for name in works}


def attention(tokens: int) -> dict[str, Callable[[], None]]:
    leaves = [torch.randn(ROWS, 2, tokens, 64, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)]

    def through(attend: Callable[..., torch.Tensor]) -> Callable[[], None]:
        return lambda: attend(*leaves).sum().backward()

    return {
        "torch": through(lambda *qkv: scaled_dot_product_attention(*qkv, is_causal=True)),
        "in blocks": through(lambda *qkv: causal_blocks(*qkv, scaling=0.125)),
    }


def step(tokens: int) -> dict[str, Callable[[], None]]:
    shape = load_recipe("replica", ReplicaRecipe).sizes["1M"]
    config = LlamaConfig(
        vocab_size=720, hidden_size=shape.width, intermediate_size=shape.feed_forward, head_dim=shape.head_size,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.heads,
        max_position_embeddings=2048,
    )  # fmt: skip
    plain, ours = LlamaForCausalLM(config), LlamaForCausalLM(config)
    attend_in_blocks(ours)
    ids = torch.randint(0, 720, (ROWS, tokens))
    mask = torch.ones_like(ids)
    mask[0, -1] = 0

    def through(model: LlamaForCausalLM, mask: torch.Tensor | None) -> Callable[[], None]:
        def work() -> None:
            with torch.autocast("cpu", torch.bfloat16):
                model(ids, attention_mask=mask, labels=ids, use_cache=False).loss.backward()

        return work

    return {
        "torch, with a mask": through(plain, mask),
        "torch, without": through(plain, None),
        "in blocks": through(ours, None),
    }


def table(title: str, spent: dict[str, float]) -> None:
    first = next(iter(spent.values()))
    print(f"\n{title}\n\n| attention | CPU ms | of the first |\n|---|---|---|")
    for name, value in spent.items():
        print(f"| {name} | {1000 * value:.0f} | {value / first:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for tokens in (120, 600, 1000):
        table(f"Attention alone, {tokens} tokens", medians(attention(tokens), rounds))
    table("A micro-batch of 16 rows of 600 tokens, 1M parameters", medians(step(600), rounds))


if __name__ == "__main__":
    main()
