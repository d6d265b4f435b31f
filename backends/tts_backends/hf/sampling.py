"""Drawing the next token of many rows at once, each with noise of its own.

Row r's token at step t is the inverse of its cumulative distribution at one uniform number that depends on its seed
and on t alone. Other rows, and when the row joined the batch, play no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tts import Sampling

_GAMMA = -0x61C8864680B583EB  # SplitMix64's increment, as a signed number
_VALUES = 1 << 23  # of a uniform: in float32, u stays below 1 and u * total below total


class Controls(NamedTuple):
    """The sampling parameters of `n` rows, shape (n,) each.

    `draws` and `cuts` say that any row is drawn at all, and from less than the whole vocabulary.
    """

    stream: Tensor
    temperature: Tensor
    greedy: Tensor
    top_p: Tensor
    top_k: Tensor
    draws: bool
    cuts: bool

    @staticmethod
    def of(seeds: Sequence[int], samplings: Sequence[Sampling], device: torch.device) -> Controls:
        """Gather the parameters of rows; a seed may be any integer."""
        greedy = [s.temperature == 0 for s in samplings]
        signed = [((seed + 2**63) % 2**64) - 2**63 for seed in seeds]
        everything = 2**31 - 1
        return Controls(
            stream=_mix(torch.tensor(signed, device=device) + _GAMMA),  # 0 would map to 0
            temperature=torch.tensor([s.temperature or 1.0 for s in samplings], device=device),
            greedy=torch.tensor(greedy, device=device),
            top_p=torch.tensor([s.top_p for s in samplings], device=device),
            top_k=torch.tensor([s.top_k or everything for s in samplings], device=device),
            draws=not all(greedy),
            cuts=any(s.temperature > 0 and (s.top_p < 1 or s.top_k is not None) for s in samplings),
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
    top = _descending(probabilities)
    allowed = torch.arange(top.shape[-1], device=top.device) < controls.top_k[:, None]
    mass = (top * allowed).sum(-1, keepdim=True)
    kept = allowed & ((top.cumsum(-1) - top < controls.top_p[:, None] * mass) | (controls.top_p >= 1)[:, None])
    kept[:, 0] = True
    floor: Tensor = top.masked_fill(~kept, 2.0).amin(-1)
    return floor


def _descending(values: Tensor) -> Tensor:
    # numpy sorts rows of floats on CPU ten to forty times as fast as torch, which sorts their indices along.
    if values.device.type == "cpu":
        return torch.from_numpy(np.sort(values.numpy(), -1)).flip(-1)
    return values.sort(-1, descending=True).values


def uniforms(stream: Tensor, steps: Tensor) -> Tensor:
    """Number `steps` of each row's stream, uniform in [0, 1), float32: the SplitMix64 generator by counter."""
    bits = _mix(stream + steps * _GAMMA)
    return ((bits >> 41) & (_VALUES - 1)).to(torch.float32) / _VALUES


def _mix(x: Tensor) -> Tensor:
    # int64 arithmetic wraps around; the mask makes the arithmetic shift a logical one.
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -0x40A7B892E31B1A47
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -0x6B2FB644ECCEEE15
    return x ^ ((x >> 31) & 0x1FFFFFFFF)
