from __future__ import annotations

import contextlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hybrid_parts import (
    ROWS,
    assert_same_gradients,
    backward_of_one_step,
    loss_by_hand,
    settings,
    tiny_model,
    tiny_tokenizer,
    trainer,
)
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconConfig,
    Gemma2Config,
    GPTNeoXConfig,
    Lfm2Config,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from tts import ConfigError
from tts_trainers.hybrid.collate import check_joinable

PACKED = {"packing": True, "max_length": 60}
FREE = {"padding_free": True, "max_length": None, "per_device_train_batch_size": 4}
SMALL = {
    "vocab_size": 300,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.5,
}

GROUPED = {**SMALL, "num_key_value_heads": 2}


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("joined", [PACKED, FREE], ids=["packed", "padding-free"])
def test_logits_of_joined_rows_are_those_alone(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, attention: str, joined: dict[str, Any]
) -> None:
    model = tiny_model(tokenizer, attn_implementation=attention)
    batches = list(trainer(model, tokenizer, settings(tmp_path, **joined)).get_train_dataloader())
    seen = 0
    for batch in batches:
        with torch.no_grad():
            inputs = {name: batch[name] for name in ("input_ids", "position_ids", "cu_seq_lens_q", "seq_idx")}
            together = model(**inputs, use_cache=False).logits[0]
            starts = [*(batch["position_ids"][0] == 0).nonzero().flatten().tolist(), len(together)]
            for start, end in pairwise(starts):
                alone = model(batch["input_ids"][:, start:end]).logits[0]
                torch.testing.assert_close(together[start:end], alone, rtol=1e-5, atol=1e-5)
                seen += 1
    assert seen == len(ROWS)
    assert len(batches) < len(ROWS)


@pytest.mark.parametrize("normalisation", ["objective", "token"])
@pytest.mark.parametrize("joined", [PACKED, FREE], ids=["packed", "padding-free"])
def test_gradient_of_joined_rows_is_the_hand_computation(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, normalisation: Any, joined: dict[str, Any]
) -> None:
    expected = tiny_model(tokenizer)
    loss = loss_by_hand(expected, tokenizer, 0.3, normalisation)
    loss.backward()
    args = settings(tmp_path, **joined)
    ours = trainer(tiny_model(tokenizer), tokenizer, args, refine_weight=0.3, normalisation=normalisation)
    assert backward_of_one_step(ours) == pytest.approx(loss.item(), rel=1e-5)
    assert_same_gradients(ours.model, expected)


def test_a_pack_keeps_the_stratum_of_every_token(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    packs = trainer(tiny_model(tokenizer), tokenizer, settings(tmp_path, **PACKED)).train_dataset
    alone = trainer(tiny_model(tokenizer), tokenizer, settings(tmp_path)).train_dataset
    expected = {(tuple(row["input_ids"]), tuple(row["strata"])) for row in alone}
    found = set()
    for pack in packs:
        start = 0
        for length in pack["seq_lengths"]:
            part = slice(start, start := start + length)
            found.add((tuple(pack["input_ids"][part]), tuple(pack["strata"][part])))
    assert found == expected
    assert any(len(set(pack["strata"])) > 1 and 0 in pack["strata"] for pack in packs)


def test_filling_up_to_a_multiple_changes_nothing(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    plain, filled = (
        trainer(tiny_model(tokenizer), tokenizer, settings(tmp_path, **FREE, pad_to_multiple_of=multiple))
        for multiple in (None, 32)
    )
    assert backward_of_one_step(filled) == pytest.approx(backward_of_one_step(plain), rel=1e-5)
    assert_same_gradients(filled.model, plain.model)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    "config",
    [Qwen2Config(**GROUPED), Qwen3Config(**GROUPED, head_dim=8), MistralConfig(**GROUPED, sliding_window=4)],
    ids=lambda config: config.model_type,
)
def test_architectures_that_keep_joined_rows_apart(config: Any, attention: str) -> None:
    check_joinable(AutoModelForCausalLM.from_config(config, attn_implementation=attention))


def sees_the_row_before(model: Any) -> bool:
    """Whether any logit of a row depends on the row packed before it, by autograd: no threshold, no other shape."""
    ids = torch.arange(3, 19)[None]
    words = model.get_input_embeddings()(ids).detach().requires_grad_()
    model(inputs_embeds=words, position_ids=torch.arange(16)[None] % 8, use_cache=False).logits[:, 8:].sum().backward()
    return bool(words.grad[:, :8].any())


ARCHITECTURES = [
    Qwen2Config(**GROUPED),
    Gemma2Config(**GROUPED, head_dim=8, sliding_window=4),
    GPTNeoXConfig(**SMALL),
    FalconConfig(**SMALL),
    FalconConfig(**SMALL, alibi=True),
    OPTConfig(**SMALL, ffn_dim=16, word_embed_proj_dim=16, init_std=0.5),
    BloomConfig(**SMALL),
    MambaConfig(vocab_size=300, hidden_size=16, num_hidden_layers=1, state_size=4),
    Lfm2Config(**GROUPED, layer_types=["conv", "full_attention"], conv_L_cache=3),
]


@pytest.mark.parametrize("config", ARCHITECTURES, ids=lambda config: config.model_type)
def test_those_whose_rows_see_each_other_are_refused_in_every_release(config: Any) -> None:
    model = AutoModelForCausalLM.from_config(config)  # which ones do changes: Falcon until transformers 5.23
    refused = pytest.raises(ConfigError, match="rows packed together would see each other")
    with refused if sees_the_row_before(model) else contextlib.nullcontext():
        check_joinable(model)


def test_both_kinds_of_architecture_are_there() -> None:
    seen = [sees_the_row_before(AutoModelForCausalLM.from_config(c)) for c in ARCHITECTURES if c.model_type != "falcon"]
    assert seen == [False, False, False, True, True, True, True]


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_a_leak_of_a_share_of_the_row_before_is_found(tokenizer: PreTrainedTokenizerFast, share: float) -> None:
    model = tiny_model(tokenizer)
    check_joinable(model)

    def mix(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        return output + share * output.roll(1, dims=1)  # a convolution that does not know where rows begin

    model.get_input_embeddings().register_forward_hook(mix)
    with pytest.raises(ConfigError, match="rows packed together would see each other"):
        check_joinable(model)


def test_an_unknown_attention_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    model = tiny_model(tokenizer)
    model.config._attn_implementation = "paged|sdpa"
    with pytest.raises(ConfigError, match="packing needs eager, sdpa, flex_attention or flash attention, not 'paged"):
        check_joinable(model)


def test_the_trainer_tries_the_model_before_it_packs(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_config(BloomConfig(**SMALL))
    with pytest.raises(ConfigError, match="in BloomForCausalLM; turn packing and padding_free off"):
        trainer(model, tokenizer, settings(tmp_path, **PACKED))
