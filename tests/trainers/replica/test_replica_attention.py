"""Causal attention in blocks is causal attention."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from tts_trainers.replica.attention import attend_in_blocks, causal_blocks

SHAPE = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 16, "num_hidden_layers": 2, "head_dim": 8}


def model(**settings: int) -> LlamaForCausalLM:
    torch.manual_seed(0)
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}  # each key is that of two queries
    return LlamaForCausalLM(LlamaConfig(**SHAPE | heads | settings)).eval()


@given(tokens=st.integers(1, 300), batch=st.integers(1, 2), heads=st.integers(1, 2), seed=st.integers(0, 99))
def test_values_and_gradients_are_those_of_the_definition(tokens: int, batch: int, heads: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    given = [torch.randn(batch, heads, tokens, 8, generator=draw, dtype=torch.float64) for _ in range(4)]

    def definition(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        scores = query @ key.transpose(-1, -2) * 0.5
        ahead = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
        return scores.masked_fill(ahead, float("-inf")).softmax(-1) @ value

    def all_of(attend: Callable[..., torch.Tensor]) -> list[torch.Tensor]:
        leaves = [one.clone().requires_grad_() for one in given[:3]]
        out = attend(*leaves)
        return [out, *torch.autograd.grad(out, leaves, given[3])]

    for mine, theirs in zip(all_of(lambda *qkv: causal_blocks(*qkv, scaling=0.5)), all_of(definition), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-10)


@pytest.mark.parametrize("tokens", [1, 5, 128, 300])
def test_a_model_computes_the_same_with_it(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = torch.randint(0, 50, (2, tokens), generator=torch.Generator().manual_seed(1))
    plain, ours = model(), model()
    attend_in_blocks(ours)
    shapes: list[torch.Size] = []

    def noted(query: torch.Tensor, *rest: torch.Tensor | float) -> torch.Tensor:
        shapes.append(query.shape)
        return causal_blocks(query, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("tts_trainers.replica.attention.causal_blocks", noted)
    assert torch.allclose(ours(ids).logits, plain(ids).logits, atol=1e-5)
    assert len(shapes) == (2 if tokens > 1 else 0)  # one for each layer
    padded = torch.ones_like(ids)
    padded[1, : tokens // 2] = 0
    assert torch.allclose(
        ours(ids, attention_mask=padded).logits[:, -1], plain(ids, attention_mask=padded).logits[:, -1], atol=1e-5
    )
    long = model(max_position_embeddings=8192)
    attend_in_blocks(long)
    shapes.clear()
    long(torch.zeros(1, 2049, dtype=torch.long))
    assert shapes == []  # it would keep four million weights for each head


def test_a_saved_model_does_not_ask_for_it(tmp_path: Path) -> None:
    ours = model()
    attend_in_blocks(ours)
    ours.save_pretrained(tmp_path)
    assert "causal_blocks" not in json.dumps(json.loads((tmp_path / "config.json").read_text("utf-8")))
    assert AutoModelForCausalLM.from_pretrained(tmp_path).config._attn_implementation == "sdpa"
