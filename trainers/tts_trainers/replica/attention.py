"""Causal attention in blocks of queries, for training small models on CPUs.

torch's fused kernel for CPUs is made for long sequences and saves memory; with the mask of a padded batch it took two
thirds of a training step of a model of a million parameters. Plain matrix products over blocks of queries, each with
the keys up to its end, take less than half of its time at 600 tokens (`benchmarks/replica_attention.py`). They keep all
attention weights for the backward pass, so longer sequences go to torch's kernel, as do masks, dropout, caches and
other devices.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "causal_blocks"
_BLOCK = 128  # queries
_LONGEST = 2048  # tokens


def attend_in_blocks(model: PreTrainedModel) -> None:
    """Make a causal model use this attention; what is saved of it does not tell."""
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def causal_blocks(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float) -> torch.Tensor:
    """Each query attends to the keys up to its own position; all are [batch, heads, tokens, size]."""
    batch, heads, tokens, size = query.shape
    queries, keys, values = (one.reshape(batch * heads, tokens, size) for one in (query * scaling, key, value))
    keys, parts = keys.transpose(1, 2), []
    for start in range(0, tokens, _BLOCK):
        end = min(start + _BLOCK, tokens)
        ahead = queries.new_full((end - start, end), float("-inf")).triu(start + 1)
        weights = torch.baddbmm(ahead, queries[:, start:end], keys[:, :, :end]).softmax(-1)
        parts.append(torch.bmm(weights.to(values.dtype), values[:, :end]))
    return torch.cat(parts, 1).view(batch, heads, tokens, size)


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    causal = attention_mask is None and is_causal is not False and 1 < query.shape[2] == key.shape[2] <= _LONGEST
    if not causal or dropout or query.device.type != "cpu":
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, is_causal, **kwargs)
    groups = query.shape[1] // key.shape[1]
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    out = causal_blocks(query, repeat_kv(key, groups), repeat_kv(value, groups), scaling)
    return out.transpose(1, 2).contiguous(), None
