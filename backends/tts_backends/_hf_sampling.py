"""Drawing the next token of many rows at once, each with noise of its own.

Row r's token at step t is the inverse of its cumulative distribution at one uniform number that depends on its seed
and on t alone. Other rows, and when the row joined the batch, play no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tts import Sampling

_FIRST_LOOK = 64  # candidates sorted for top-p before the whole vocabulary is
_BITS = 23  # of the uniforms: float32 keeps u < 1 and u * total < total


class Controls(NamedTuple):
    """The sampling parameters of `n` rows, shape (n,) each; `cuts` and `draws` say that any row needs them."""

    stream: Tensor
    temperature: Tensor
    greedy: Tensor
    top_p: Tensor
    top_k: Tensor
    cuts: bool
    draws: bool

    @staticmethod
    def of(seeds: Sequence[int], samplings: Sequence[Sampling], device: torch.device) -> Controls:
        """Gather the parameters of rows; a seed may be any integer."""
        greedy = [s.temperature == 0 for s in samplings]
        signed = [((seed + 2**63) % 2**64) - 2**63 for seed in seeds]
        everything = 2**31 - 1
        return Controls(
            stream=_mix(torch.tensor(signed, device=device)),
            temperature=torch.tensor([s.temperature or 1.0 for s in samplings], device=device),
            greedy=torch.tensor(greedy, device=device),
            top_p=torch.tensor([s.top_p for s in samplings], device=device),
            top_k=torch.tensor([s.top_k or everything for s in samplings], device=device),
            cuts=any(not g and (s.top_p < 1 or s.top_k is not None) for g, s in zip(greedy, samplings, strict=True)),
            draws=not all(greedy),
        )


def draw(logits: Tensor, controls: Controls, steps: Tensor) -> Tensor:
    """The next token of each row: logits (n, vocabulary) float32, steps (n,) tokens generated so far."""
    best = logits.argmax(-1)
    if not controls.draws:
        return best
    probabilities = torch.softmax(logits / controls.temperature[:, None], -1)
    if controls.cuts:
        floor = _floor(probabilities, controls)
        probabilities = probabilities.masked_fill(probabilities < floor[:, None], 0)
    cumulative = probabilities.cumsum(-1)
    noise = uniforms(controls.stream, steps)[:, None] * cumulative[:, -1:]
    drawn = torch.searchsorted(cumulative, noise, right=True)[:, 0]
    return torch.where(controls.greedy, best, drawn.clamp_(max=logits.shape[-1] - 1))


def _floor(probabilities: Tensor, controls: Controls) -> Tensor:
    """The smallest probability that top-k and then top-p let through; equal ones at the cut all pass."""
    size = probabilities.shape[-1]
    width = min(size, _FIRST_LOOK)
    while True:
        top = probabilities.topk(width).values
        allowed = torch.arange(width, device=top.device) < controls.top_k[:, None]
        before = top.cumsum(-1) - top
        # Without top-k the mass is 1; with it, what the first k have, which is known once k of them are seen.
        mass = torch.where(controls.top_k < size, (top * allowed).sum(-1), 1.0)
        kept = allowed & (before < (controls.top_p * mass)[:, None])
        kept[:, 0] = True
        if width == size or not bool((kept[:, -1] & (controls.top_p < 1)).any() | _unseen(controls, width, size)):
            # A row without top-p and top-k keeps everything, also what was not looked at.
            free = (controls.top_p >= 1) & (controls.top_k >= size)
            floor: Tensor = top.masked_fill(~kept, 2.0).amin(-1).masked_fill(free, 0.0)
            return floor
        width = size


def _unseen(controls: Controls, width: int, size: int) -> Tensor:
    unseen: Tensor = (controls.top_k > width) & (controls.top_k < size)
    return unseen.any()


def uniforms(stream: Tensor, steps: Tensor) -> Tensor:
    """Number `steps` of each row's stream, uniform in [0, 1), float32: the SplitMix64 generator by counter."""
    bits = _mix(stream + steps * -0x61C8864680B583EB)
    return ((bits >> (64 - _BITS)) & (2**_BITS - 1)).to(torch.float32) * 2.0**-_BITS


def _mix(x: Tensor) -> Tensor:
    # int64 arithmetic wraps around; the mask makes the arithmetic shift a logical one.
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -0x40A7B892E31B1A47
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -0x6B2FB644ECCEEE15
    return x ^ ((x >> 31) & 0x1FFFFFFFF)
